import type { Client } from '@temporalio/client';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { maxEndpointsVariable } from '../../src/contract/endpoint-quota';
import { createActivities } from '../../src/activities';
import { createWorkerDependencies } from '../../src/worker/worker-dependencies';
import { homePaths, type HomePaths } from '../../src/home/paths';
import type { PlatformAccess } from '../../src/lepton/types';
import { originOf } from '../../src/temporal/origin';
import { freshFolder } from '../support/folders';
import { startTemporal } from '../support/temporal';
import { simulatedPlan } from './courses';
import { quota } from './quota-watch';
import { workerPool } from './worker-pool';
import { platformsInThread } from './platforms';
import type { WatchedCase, TemporalGateway } from './temporal-gateway';
import type { Clocks } from './worlds';

export type Killable = 'worker' | 'server' | 'database' | 'platform';

/** What cases run on: a Temporal server, a worker, a platform. */
export interface TestBed {
  readonly client: Client;
  readonly home: HomePaths;
  readonly taskQueue: string;
  readonly origin: string;
  readonly folder: string;
  /** `host:port` of the Temporal server. */
  readonly address: string;
  /** Returns a worker for one case, with its own task queue, which reaches the server only through its gateway. */
  worker(watched: WatchedCase): Promise<TestBedWorker>;
  /** Returns a queue that is also served by a worker whose home lacks the run's files and credentials. */
  mixedQueue(): Promise<string>;
  /** Returns a queue whose worker allows its runs only so many endpoints at the same time. */
  limitedQueue(): Promise<string>;
  /** Returns a copy of the home, as on another machine, with its own Temporal server. */
  twin(): Promise<Pick<TestBed, 'client' | 'home' | 'origin'>>;
  /** Returns direct access to a platform for one case. */
  platform(): Promise<TestBedPlatform>;
  /** Sends SIGKILL, and starts a new process on the same state after `awayMs`. Resolves when the old one is dead. */
  kill(what: Killable, awayMs?: number): Promise<void>;
  /** Breaks the worker's connections to the server, and refuses new ones for some seconds. */
  cutFromServer(): Promise<void>;
  close(): Promise<void>;
}

export interface TestBedWorker {
  readonly taskQueue: string;
  readonly temporal: TemporalGateway;
  /** Sends SIGKILL, and starts a new worker after `awayMs`. */
  kill(awayMs?: number): Promise<void>;
  /** Returns how often it ended by itself, which it never should, and was restarted. */
  deaths(): number;
  close(): Promise<void>;
}

export interface TestBedPlatform {
  readonly access: PlatformAccess;
  release(): Promise<void>;
}

/** Shorter than the default, which is meant for a service across the internet; long enough for a busy machine. */
export const requestTimeoutMs = 4_000;

/** Far shorter than the default: otherwise a case whose token is refused permanently would take minutes. */
export const refusalPatienceMs = 8_000;

export const bundle =
  process.env['EVALSAGA_TEST_BUNDLE'] ?? path.resolve(__dirname, '..', '..', 'dist', 'workflow-bundle.js');

/** Runs everything in this process: many cases at once, each with its own platform, but nothing can be killed. */
export async function inProcessTestBed(clocks: Pick<Clocks, 'platform'> = { platform: 0 }): Promise<TestBed> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    // A signal ends the whole process; it must not stop the worker while cases run.
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  const env = await startTemporal();
  const folder = await freshFolder('chaos');
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  const taskQueue = 'chaos';
  const origin = await originOf({ connection: env.client.connection, namespace: 'default', home, embedded: true });
  const activitiesOf = (at: HomePaths, variables: Readonly<Record<string, string>> = {}) =>
    createActivities(
      createWorkerDependencies({ home: at, env: variables, origin, requestTimeoutMs, refusalPatienceMs }),
    );
  const common = {
    workflowBundle: { codePath: bundle },
    activities: activitiesOf(home),
    shutdownGraceTime: '1s',
  } as const;
  const serve = (options: WorkerOptions) => serving({ ...common, connection: env.nativeConnection, ...options });
  const worker = await serve({ taskQueue, maxConcurrentActivityTaskExecutions: 400 });
  const others: Serving[] = [];
  const workers = workerPool({ target: env.address, common });
  const platforms = platformsInThread({ clockMs: clocks.platform });
  let mixed: Promise<string> | undefined;
  const mix = async (): Promise<string> => {
    const queue = `${taskQueue}-mixed`;
    const foreign = activitiesOf(homePaths({ EVALSAGA_HOME: path.join(folder.path, 'foreign-home') }));
    others.push(await serve({ taskQueue: queue }));
    const connection = await NativeConnection.connect({ address: env.address });
    const foreignWorker = await serve({ taskQueue: queue, activities: foreign, connection });
    others.push({ ...foreignWorker, stop: () => foreignWorker.stop().then(() => connection.close()) });
    return queue;
  };
  let limited: Promise<string> | undefined;
  const limit = async (): Promise<string> => {
    const queue = `${taskQueue}-limited`;
    const activities = activitiesOf(home, { [maxEndpointsVariable]: String(quota) });
    others.push(await serve({ taskQueue: queue, activities }));
    return queue;
  };
  let twin: ReturnType<typeof twinOf> | undefined;
  return {
    client: env.client,
    home,
    taskQueue,
    origin,
    folder: folder.path,
    address: env.address,
    worker: (watched) => workers.borrow(watched),
    mixedQueue: () => (mixed ??= mix()),
    limitedQueue: () => (limited ??= limit()),
    twin: () => (twin ??= twinOf(home, path.join(folder.path, 'twin'))),
    platform() {
      const state = worker.state();
      if (state !== 'RUNNING') throw new Error(`the worker is ${state}`);
      return platforms.open(folder.path, simulatedPlan);
    },
    kill: (what) => Promise.reject(new Error(`the ${what} is part of this process`)),
    cutFromServer: () => Promise.reject(new Error('the worker is part of this process')),
    async close() {
      await Promise.all([worker, ...others].map((one) => one.stop()));
      await workers.close();
      await platforms.close();
      await (await twin)?.close();
      await env.teardown();
      await folder.dispose();
    },
  };
}

async function twinOf(
  home: HomePaths,
  root: string,
): Promise<Pick<TestBed, 'client' | 'home' | 'origin'> & { close(): Promise<void> }> {
  await cp(home.root, root, { recursive: true });
  const env = await startTemporal();
  const copy = homePaths({ EVALSAGA_HOME: root });
  const origin = await originOf({
    connection: env.client.connection,
    namespace: 'default',
    home: copy,
    embedded: true,
  });
  return { client: env.client, home: copy, origin, close: () => env.teardown() };
}

interface Serving {
  state(): string;
  stop(): Promise<void>;
}

/**
 * Runs a worker until it is stopped. Reports one that ends by itself, which would otherwise look like a run that
 * hangs.
 */
async function serving(options: WorkerOptions): Promise<Serving> {
  const worker = await Worker.create(options);
  let closing = false;
  const running = worker.run().finally(() => {
    if (!closing) process.stderr.write(`the worker stopped by itself at ${new Date().toISOString()}\n`);
  });
  running.catch((error: unknown) => process.stderr.write(`the worker failed: ${String(error)}\n`));
  return {
    state: () => worker.getState(),
    async stop() {
      closing = true;
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
    },
  };
}
