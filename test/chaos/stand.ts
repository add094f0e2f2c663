import type { Client } from '@temporalio/client';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@temporalio/worker';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createActivities } from '../../src/activities';
import { createWorkerDependencies } from '../../src/activities/worker-dependencies';
import { homePaths, type HomePaths } from '../../src/home/paths';
import type { PlatformAccess } from '../../src/lepton/types';
import { freshFolder } from '../support/folders';
import { startSimulated } from '../support/simulated';
import { startTemporal } from '../support/temporal';
import { simulatedPlan } from './courses';

/** What a case runs on: a Temporal server, a worker, a platform. */
export interface Stand {
  readonly client: Client;
  readonly home: HomePaths;
  readonly taskQueue: string;
  readonly origin: string;
  readonly folder: string;
  /** `host:port` of the Temporal server. */
  readonly address: string;
  /** A worker for one case, which reaches the server through `address` only. */
  worker(at: WorkerPlace): Promise<StandWorker>;
  /** A platform for one case, straight, with nothing in between. */
  platform(): Promise<StandPlatform>;
  /** SIGKILL, and a new one in its place on the same state; resolves as soon as the old one is dead. */
  kill(what: 'worker' | 'server' | 'platform'): Promise<void>;
  /** Breaks the worker's connections to the server, and keeps new ones from being made for some seconds. */
  cutFromServer(): Promise<void>;
  close(): Promise<void>;
}

export interface WorkerPlace {
  readonly address: string;
  readonly taskQueue: string;
}

export interface StandWorker {
  /** SIGKILL, and a new one in its place. */
  kill(): Promise<void>;
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

export const bundle =
  process.env['EVALSAGA_TEST_BUNDLE'] ?? path.resolve(__dirname, '..', '..', 'dist', 'workflow-bundle.js');

/** All in this process: many cases at once, a platform each, nothing can be killed. */
export async function inProcessStand(): Promise<Stand> {
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
  const origin = 'chaos';
  const activities = createActivities(createWorkerDependencies({ home, env: {}, origin, requestTimeoutMs }));
  const common = { workflowBundle: { codePath: bundle }, activities, shutdownGraceTime: '1s' } as const;
  const worker = await Worker.create({
    ...common,
    connection: env.nativeConnection,
    taskQueue,
    maxConcurrentActivityTaskExecutions: 400,
  });
  let closing = false;
  // Whoever stops it (a signal, a fatal error of its pollers) must not be taken for a run that hangs.
  const running = worker.run().finally(() => {
    if (!closing) process.stderr.write(`the worker stopped by itself at ${new Date().toISOString()}\n`);
  });
  running.catch((error: unknown) => process.stderr.write(`the worker failed: ${String(error)}\n`));
  let platforms = 0;
  return {
    client: env.client,
    home,
    taskQueue,
    origin,
    folder: folder.path,
    address: env.address,
    worker: (place) => ownWorker(place, common),
    async platform() {
      const state = worker.getState();
      if (state !== 'RUNNING') throw new Error(`the worker is ${state}`);
      const root = path.join(folder.path, `platform-${(platforms += 1)}`);
      await mkdir(root, { recursive: true });
      const platform = await startSimulated(homePaths({ EVALSAGA_HOME: root }), simulatedPlan);
      const { url, workspace, token } = platform;
      return { access: { url, workspace, token }, release: () => platform.close() };
    },
    kill: (what) => Promise.reject(new Error(`the ${what} is part of this process`)),
    cutFromServer: () => Promise.reject(new Error('the worker is part of this process')),
    async close() {
      closing = true;
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
      await env.teardown();
      await folder.dispose();
    },
  };
}

/** A worker in this process, on a connection of its own; another follows one that ends by itself. */
async function ownWorker(
  { address, taskQueue }: WorkerPlace,
  common: Omit<WorkerOptions, 'taskQueue' | 'connection'>,
): Promise<StandWorker> {
  const connection = await NativeConnection.connect({ address });
  let closing = false;
  let deaths = 0;
  let worker = await Worker.create({ ...common, connection, taskQueue });
  const serve = async (): Promise<void> => {
    while (!closing) {
      await worker.run().catch(() => undefined);
      if (closing) return;
      deaths += 1;
      worker = await Worker.create({ ...common, connection, taskQueue });
    }
  };
  const serving = serve();
  return {
    kill: () => Promise.reject(new Error('the worker is part of this process')),
    deaths: () => deaths,
    async close() {
      closing = true;
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await serving;
      await connection.close();
    },
  };
}
