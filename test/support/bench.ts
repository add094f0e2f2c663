import { Client } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import path from 'node:path';
import { createActivities } from '../../src/activities';
import { WaitEnded } from '../../src/activities/staying';
import { createWorkerDependencies } from '../../src/worker/worker-dependencies';
import { cancelRun, describeRun, startRun, watchRun, type RunDescription } from '../../src/client';
import type { RunPlan } from '../../src/contract/plan';
import { encryptionOf } from '../../src/temporal/encryption/data-converter';
import type { RunSnapshot } from '../../src/contract/state';
import { homePaths, type HomePaths } from '../../src/home/paths';
import { concurrency, versioning } from '../../src/worker';
import { freshFolder } from './folders';
import { emptyInventory, startSimulated, type SimulatedPlan, type SimulatedPlatform } from './simulated';
import { startTemporal } from './temporal';

/** A real Temporal server, with a worker in this process; each scenario has its own home, platform and task queue. */
export interface Bench {
  readonly env: TestWorkflowEnvironment;
  readonly client: Client;
  /** `options` default to the bench's own. */
  scenario(plan?: SimulatedPlan, options?: BenchOptions): Promise<Scenario>;
  close(): Promise<void>;
}

export interface Scenario {
  readonly home: HomePaths;
  readonly client: Client;
  readonly platform: SimulatedPlatform;
  readonly outputRoot: string;
  readonly taskQueue: string;
  start(plan: RunPlan): Promise<void>;
  cancel(plan: RunPlan): Promise<unknown>;
  /** Resolves to the last description of a run, once it has closed. `withinMs`: default 250,000. */
  closed(plan: RunPlan, withinMs?: number): Promise<RunDescription>;
  /** Resolves to the snapshot as soon as it meets the condition. `withinMs`: default 100,000. */
  until(plan: RunPlan, condition: (snapshot: RunSnapshot) => boolean, withinMs?: number): Promise<RunSnapshot>;
  describe(plan: RunPlan): Promise<RunDescription>;
  /** Stops the worker and starts another, with other options if given. */
  startWorker(keys?: BenchOptions): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

export const plainBundle =
  process.env['EVALSAGA_TEST_BUNDLE'] ?? path.resolve(__dirname, '..', '..', 'dist', 'workflow-bundle.js');
export const encryptedBundle = plainBundle.replace(/\.js$/, '.encrypted.js');

/** Options of a bench's client and workers. */
export interface BenchOptions {
  readonly keyFile?: string;
  /** For how long workers retry refusals, in milliseconds. Default 5,000, far less than the product's default. */
  readonly refusalPatienceMs?: number;
  /** Workflow code. Default: the build's. */
  readonly workflows?: { readonly code: string };
  /** Environment variables of its workers. Default: none. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The Temporal installation that its workers' resources are marked with. Default: `tests`. */
  readonly origin?: string;
}

export async function startBench(options: BenchOptions = {}): Promise<Bench> {
  // These tests are about failing activities, whose warnings would hide everything else.
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const env = await startTemporal();
  const client = clientWith(env, options);
  const scenarios = new Set<Scenario>();
  return {
    env,
    client,
    async scenario(plan = {}, keys = options) {
      const scenario = await openScenario(
        { env, client: keys === options ? client : clientWith(env, keys), options: keys },
        plan,
      );
      scenarios.add(scenario);
      return scenario;
    },
    async close() {
      for (const scenario of scenarios) await scenario.close();
      await env.teardown();
    },
  };
}

export const clientWith = (env: TestWorkflowEnvironment, keys: BenchOptions): Client =>
  new Client({
    connection: env.connection,
    namespace: env.namespace ?? 'default',
    dataConverter: converterOf(keys),
  });

const converterOf = ({ keyFile }: BenchOptions) =>
  encryptionOf({ EVALSAGA_ENCRYPTION_KEY_FILE: keyFile }).dataConverter;

interface OpenBench {
  readonly env: TestWorkflowEnvironment;
  readonly client: Client;
  readonly options: BenchOptions;
}

async function openScenario({ env, client, options }: OpenBench, simulated: SimulatedPlan): Promise<Scenario> {
  const folder = await freshFolder('scenario');
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  const platform = await startSimulatedIn(home, simulated);
  const taskQueue = path.basename(folder.path);
  const startWorker = (keys = options) => benchWorker(env, { taskQueue, home, ...keys });
  let stopWorker = await startWorker();
  let open = true;

  return {
    home,
    client,
    platform,
    outputRoot: path.join(folder.path, 'results'),
    taskQueue,
    async start(plan) {
      await startRun(client, {
        plan,
        taskQueue,
        hostSecrets: {},
        configYaml: 'a: 1\n',
        home,
        searchAttributes: true,
        isEncrypted: options.keyFile !== undefined,
      });
    },
    cancel: (plan) => cancelRun(client, plan.invocation),
    describe: (plan) => describeRun(client, plan.invocation, home),
    async closed(plan, withinMs = 250_000) {
      let last: RunDescription | undefined;
      for await (last of watchRun(client, plan.invocation, home, {
        intervalMs: 100,
        signal: AbortSignal.timeout(withinMs),
      }));
      if (last === undefined || last.status === 'running')
        throw new Error(`run ${plan.invocation} did not close: ${JSON.stringify(last)}`);
      return last;
    },
    async until(plan, condition, withinMs = 100_000) {
      const signal = AbortSignal.timeout(withinMs);
      for await (const { snapshot, status } of watchRun(client, plan.invocation, home, { intervalMs: 50, signal })) {
        if (condition(snapshot)) return snapshot;
        if (status !== 'running') throw new Error(`run ${plan.invocation} closed before: ${JSON.stringify(snapshot)}`);
      }
      throw new Error('the condition was not fulfilled in time');
    },
    async startWorker(keys = options) {
      await stopWorker();
      stopWorker = await startWorker(keys);
      return stopWorker;
    },
    async close() {
      if (!open) return;
      open = false;
      await stopWorker();
      await platform.close();
      await folder.dispose();
    },
  };
}

async function startSimulatedIn(home: HomePaths, plan: SimulatedPlan): Promise<SimulatedPlatform> {
  const { mkdir } = await import('node:fs/promises');
  await mkdir(home.root, { recursive: true });
  return startSimulated(home, plan);
}

export interface BenchWorker extends BenchOptions {
  readonly taskQueue: string;
  readonly home: HomePaths;
  readonly identity?: string;
  /** `EVALSAGA_DEPLOYMENT_NAME` and `EVALSAGA_BUILD_ID`. */
  readonly build?: Readonly<Record<string, string>>;
}

/** Starts a worker in this process; resolves to a function that stops it. */
export async function benchWorker(
  env: Pick<TestWorkflowEnvironment, 'nativeConnection' | 'namespace'>,
  options: BenchWorker,
): Promise<() => Promise<void>> {
  const ending = new AbortController();
  const settings: WorkerOptions = {
    connection: env.nativeConnection,
    namespace: env.namespace ?? 'default',
    taskQueue: options.taskQueue,
    dataConverter: converterOf(options),
    workflowBundle: options.workflows ?? { codePath: options.keyFile === undefined ? plainBundle : encryptedBundle },
    activities: createActivities(
      createWorkerDependencies({
        home: options.home,
        env: options.environment ?? {},
        origin: options.origin ?? 'tests',
        ending: ending.signal,
        refusalPatienceMs: options.refusalPatienceMs ?? 5_000,
      }),
    ),
    ...concurrency,
    shutdownGraceTime: '1s',
    ...(options.identity === undefined ? {} : { identity: options.identity }),
    ...versioning(options.build ?? {}),
  };
  const worker = await Worker.create(settings);
  const running = worker.run();
  return async () => {
    ending.abort(new WaitEnded('its worker ends'));
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await running;
  };
}

/**
 * Counts the resources of a kind that the platform created: answered with success or, with `cutOff`, cut off
 * afterwards.
 */
export async function creations(
  platform: SimulatedPlatform,
  kind: '/deployments' | '/jobs',
  options: { cutOff?: boolean } = {},
): Promise<number> {
  const requests = (await platform.requests()).filter(({ method, path: route }) => method === 'POST' && route === kind);
  return requests.filter(({ status }) => (status >= 200 && status < 300) || (status === 0 && options.cutOff === true))
    .length;
}

export { emptyInventory };
