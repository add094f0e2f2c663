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
import { createActivities } from '../../src/activities';
import { createWorkerDependencies } from '../../src/worker/worker-dependencies';
import { homePaths, type HomePaths } from '../../src/home/paths';
import type { PlatformAccess } from '../../src/lepton/types';
import { originOf } from '../../src/temporal/origin';
import { freshFolder } from '../support/folders';
import { startTemporal } from '../support/temporal';
import { simulatedPlan } from './courses';
import { standingWorkers } from './own-workers';
import { platformsInThread } from './platforms';
import type { Attended, TemporalGateway } from './temporal-gateway';
import type { Clocks } from './worlds';

/** What a case runs on: a Temporal server, a worker, a platform. */
export interface Stand {
  readonly client: Client;
  readonly home: HomePaths;
  readonly taskQueue: string;
  readonly origin: string;
  readonly folder: string;
  /** `host:port` of the Temporal server. */
  readonly address: string;
  /** A worker for one case, on a task queue of its own, which reaches the server through its gateway only. */
  worker(attended: Attended): Promise<StandWorker>;
  /** The queue that a worker of a home without the run's files and credentials serves as well. */
  mixedQueue(): Promise<string>;
  /** A copy of the home, as another machine has it, with a Temporal server of its own. */
  twin(): Promise<Pick<Stand, 'client' | 'home' | 'origin'>>;
  /** A platform for one case, straight, with nothing in between. */
  platform(): Promise<StandPlatform>;
  /** SIGKILL, and a new one in its place on the same state, at once or later; resolves as soon as the old one is dead. */
  kill(what: 'worker' | 'server' | 'platform', awayMs?: number): Promise<void>;
  /** Breaks the worker's connections to the server, and keeps new ones from being made for some seconds. */
  cutFromServer(): Promise<void>;
  close(): Promise<void>;
}

export interface StandWorker {
  readonly taskQueue: string;
  readonly temporal: TemporalGateway;
  /** SIGKILL, and a new one in its place, at once or later. */
  kill(awayMs?: number): Promise<void>;
  /** How often it ended by itself, which it never should; another took its place. */
  deaths(): number;
  close(): Promise<void>;
}

export interface StandPlatform {
  readonly access: PlatformAccess;
  release(): Promise<void>;
}

/** Shorter than the product's own, which suits a service across the internet. */
export const requestTimeoutMs = 2_000;

/** Far shorter than the product's: a case whose token is refused for good would last for minutes. */
export const refusalPatienceMs = 8_000;

export const bundle =
  process.env['EVALSAGA_TEST_BUNDLE'] ?? path.resolve(__dirname, '..', '..', 'dist', 'workflow-bundle.js');

/** All in this process: many cases at once, a platform each, nothing can be killed. */
export async function inProcessStand(clocks: Pick<Clocks, 'platform'> = { platform: 0 }): Promise<Stand> {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    // A signal ends the whole process, and is not to stop the worker under the cases.
    shutdownSignals: [],
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  const env = await startTemporal();
  const folder = await freshFolder('chaos');
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  const taskQueue = 'chaos';
  const origin = await originOf({ connection: env.client.connection, namespace: 'default', home, embedded: true });
  const activitiesOf = (at: HomePaths) =>
    createActivities(createWorkerDependencies({ home: at, env: {}, origin, requestTimeoutMs, refusalPatienceMs }));
  const common = {
    workflowBundle: { codePath: bundle },
    activities: activitiesOf(home),
    shutdownGraceTime: '1s',
  } as const;
  const serve = (options: WorkerOptions) => serving({ ...common, connection: env.nativeConnection, ...options });
  const worker = await serve({ taskQueue, maxConcurrentActivityTaskExecutions: 400 });
  const others: Serving[] = [];
  const workers = standingWorkers({ target: env.address, common });
  const platforms = platformsInThread({ clockMs: clocks.platform });
  let mixed: Promise<string> | undefined;
  const mix = async (): Promise<string> => {
    const queue = `${taskQueue}-mixed`;
    const strange = activitiesOf(homePaths({ EVALSAGA_HOME: path.join(folder.path, 'strange-home') }));
    others.push(await serve({ taskQueue: queue }));
    const connection = await NativeConnection.connect({ address: env.address });
    const stranger = await serve({ taskQueue: queue, activities: strange, connection });
    others.push({ ...stranger, stop: () => stranger.stop().then(() => connection.close()) });
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
    worker: (attended) => workers.borrow(attended),
    mixedQueue: () => (mixed ??= mix()),
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
): Promise<Pick<Stand, 'client' | 'home' | 'origin'> & { close(): Promise<void> }> {
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

/** A worker until it is stopped. One that stops by itself (a signal, a fatal error of its pollers) must not be taken for a run that hangs. */
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
