/** The worker process: workflow bundle, activities, graceful shutdown. Any number may serve one task queue. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { NativeConnection, Worker, type NativeConnectionOptions, type WorkerOptions } from '@temporalio/worker';
import { Client } from '@temporalio/client';
import { maxEndpointsIn } from './contract/endpoint-quota';
import { messageOf } from './support/error-message';
import { firstLine } from './support/lines';
import { createActivities } from './activities';
import { WaitEnded } from './activities/staying';
import { flushNews } from './activities/telling';
import { createWorkerDependencies } from './worker/worker-dependencies';
import { encryptionOf, type Encryption } from './temporal/encryption/data-converter';
import type { HomePaths } from './home/paths';
import { namespaceId, noteNamespace, originWith } from './temporal/origin';
import { buildOf } from './temporal/worker-build';
import { temporalProxy } from './temporal/proxy';
import { isEmbedded, namespaceIdVariable, temporalTarget, type Env, type TemporalTarget } from './temporal/target';
import { forgetStaleSecrets } from './cleanup/stale-secrets';
import { clearStaging } from './results/store/target';
import { retryDuringOutages } from './temporal/retry-during-outages';
import { countingFetch, measuringInterceptor, type Recorder } from './worker/metrics';
import { cachedWorkflows, limitHeapGrowth } from './worker/heap';
import { startTracing, type WorkerTracing } from './worker/tracing';
import { slotsOf, startOperations, type Operations } from './worker/operations';
import { defaultFetch } from './lepton/http';
import { guardInstallation, replacedFault, type InstallationGuard } from './worker/installation';
import { endWorker, serve, whyFailed } from './worker/worker-end';
import { isTemporalFault } from './temporal/grpc';
import { InfrastructureError } from './temporal/infrastructure-error';

export interface WorkerRequest {
  readonly home: HomePaths;
  /**
   * `TEMPORAL_*` (address and credentials; required), `EVALSAGA_TASK_QUEUE`, `EVALSAGA_REQUEST_TIMEOUT`,
   * `EVALSAGA_REFUSAL_PATIENCE` (seconds), `EVALSAGA_ENCRYPTION_KEY_FILE`; see also worker/operations.ts and docs/environment.md.
   */
  readonly env: Env;
}

/** Milliseconds after SIGTERM in which running activities may finish, and then in which they must notice that they are aborted. */
const grace = { shutdownGraceTime: 20_000, shutdownForceTime: 60_000 } as const;

/**
 * Most activities only wait, up to two for each task of all open runs; what they cost the platform is bounded by sharing their
 * looks, and transfers have a bound of their own (activities/heavy.ts). Milliseconds: how late, at the latest, a cancel or a
 * heartbeat arrives.
 */
export const concurrency = {
  maxConcurrentActivityTaskExecutions: 12_000,
  maxHeartbeatThrottleInterval: 10_000,
  // A thousand tasks that go on at the same moment wait for more than the SDK's 10 s, after which each would be replayed from its
  // beginning. Temporal itself notices after 10 s that a worker no longer asks for tasks.
  stickyQueueScheduleToStartTimeout: 25_000,
} as const;

/** Milliseconds for which Temporal may be out of reach while the worker starts. */
const SERVER_WITHIN_MS = 60_000;

/** Runs a worker until SIGINT or SIGTERM. Throws `InfrastructureError` if Temporal can't be reached or refuses it, `EncryptionKeyError`. */
export async function runWorker({ home, env }: WorkerRequest): Promise<void> {
  const target = temporalTarget(env);
  if (target.kind === 'embedded') {
    throw new InfrastructureError(
      'A worker needs TEMPORAL_ADDRESS or a temporal.toml profile. For a local stack with everything, use: evalsaga up',
    );
  }
  const encryption = encryptionOf(env);
  refuseMalformed(env);
  limitHeapGrowth();
  const tracing = await startTracing(env);
  const operations = await startOperations(env);
  try {
    await clearStaging(home.staging);
    await serveUntilTold({ home, env }, { target, encryption, operations, tracing });
  } finally {
    await Promise.all([operations.close(), tracing.close()]);
  }
}

async function serveUntilTold(
  request: WorkerRequest,
  parts: {
    readonly target: ClusterTarget;
    readonly encryption: Encryption;
    readonly operations: Operations;
    readonly tracing: WorkerTracing;
  },
): Promise<void> {
  const { target, encryption, operations, tracing } = parts;
  const ending = new AbortController();
  const watched = { record: operations.record, tracing };
  const open = () => openWorker({ ...request, ending: ending.signal, ...watched }, target, encryption);
  const { connection, worker, guard } = await retryDuringOutages(open, { withinMs: SERVER_WITHIN_MS }).catch(
    (error: Error) => {
      if (!isTemporalFault(error) && error.name !== 'TransportError') throw error;
      throw new InfrastructureError(`Temporal at ${target.address} cannot be reached (${firstLine(error.message)}).`, {
        cause: error,
      });
    },
  );
  operations.watch(worker);
  const forgetting = forgetStaleSecretsRegularly({ connection, target, home: request.home, encryption });
  const onShutdown = (): void => {
    ending.abort(new WaitEnded('its worker ends'));
    void flushNews();
  };
  let replaced: InfrastructureError | undefined;
  const serving = serve(worker, { onShutdown });
  // Only a worker that runs can be ended, and the guard may know by now.
  guard.onReplaced((fault) => {
    replaced = fault;
    endWorker(worker);
  });
  const end = await serving.finally(() => {
    clearInterval(forgetting);
    guard.close();
  });
  switch (end) {
    case 'failed':
      throw replaced ?? (await whyFailed(connection, target));
    case 'cut short':
      // The worker still holds the connection, and the process ends anyway.
      break;
    case 'shut down':
      await connection.close();
  }
  if (replaced) throw replaced;
}

/** Milliseconds between two deletions of the secrets of ended runs. */
const forgetEveryMs = 120_000;

/** Sweeps do this too, but only on the machine that runs them. */
function forgetStaleSecretsRegularly(options: {
  readonly connection: NativeConnection;
  readonly target: ClusterTarget;
  readonly home: HomePaths;
  readonly encryption: Encryption;
}): NodeJS.Timeout {
  const { connection, target, home, encryption } = options;
  const { dataConverter } = encryption;
  const client = new Client({ connection, namespace: target.namespace, dataConverter });
  const forget = (): void => void forgetStaleSecrets(client, home).catch(() => undefined);
  forget();
  return setInterval(forget, forgetEveryMs);
}

type ClusterTarget = Extract<TemporalTarget, { kind: 'cluster' }>;

interface Opening extends WorkerRequest {
  readonly ending: AbortSignal;
  readonly record: Recorder;
  readonly tracing: WorkerTracing;
}

/** Makes several calls, each of which may fail if the server goes away. */
async function openWorker(
  { home, env, ending, record, tracing }: Opening,
  target: ClusterTarget,
  encryption: Encryption,
): Promise<{ readonly connection: NativeConnection; readonly worker: Worker; readonly guard: InstallationGuard }> {
  const connection = await NativeConnection.connect({ ...target.connection, ...throughProxy(target.address, env) });
  let guard: InstallationGuard | undefined;
  try {
    const { namespace, address } = target;
    const embedded = isEmbedded(env);
    const seen = await namespaceId({ connection, namespace });
    const id = env[namespaceIdVariable] || seen;
    if (id !== seen) throw replacedFault({ address, namespace, embedded });
    noteNamespace({ connection }, id);
    const origin = await originWith({ namespace, home, embedded, id });
    guard = guardInstallation({ connection, namespace, address, id, embedded });
    const fetch = tracing.fetch(countingFetch(defaultFetch, record));
    const source = workflowSource(encryption);
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue: target.taskQueue,
      identity: `evalsaga@${hostname()}:${process.pid}`,
      dataConverter: encryption.dataConverter,
      ...source,
      interceptors: { ...source.interceptors, activity: [measuringInterceptor(record), ...tracing.activity] },
      sinks: tracing.sinks,
      activities: createActivities(
        createWorkerDependencies({ home, env, origin, ending, admit: guard.admit, fetch, ...bounds(env) }),
      ),
      ...concurrency,
      maxCachedWorkflows: cachedWorkflows(),
      ...slotsOf(env),
      ...grace,
      ...versioning(env),
    });
    return { connection, worker, guard };
  } catch (error) {
    guard?.close();
    await connection.close();
    throw error;
  }
}

/** Uses the same proxy as the client: see temporal/proxy.ts. */
function throughProxy(address: string, env: Env): Pick<NativeConnectionOptions, 'proxy'> {
  const proxy = temporalProxy(address, env);
  if (!proxy) return {};
  const { target: targetHost, login } = proxy;
  return { proxy: { type: 'http-connect', targetHost, ...(login ? { basicAuth: login } : {}) } };
}

/** Reads the bounds for requests to a platform; `undefined`: the default applies. */
function bounds(env: Env): { requestTimeoutMs: number | undefined; refusalPatienceMs: number | undefined } {
  return {
    // A longer request would outlive the activity attempt that sent it.
    requestTimeoutMs: secondsOf(env, 'EVALSAGA_REQUEST_TIMEOUT', 60),
    refusalPatienceMs: secondsOf(env, 'EVALSAGA_REFUSAL_PATIENCE', 3_600),
  };
}

/** A limit that can't be read must not be taken for none. */
function refuseMalformed(env: Env): void {
  try {
    maxEndpointsIn(env);
  } catch (error) {
    throw new InfrastructureError(messageOf(error), { cause: error });
  }
}

/** Reads a variable in seconds; returns milliseconds. */
function secondsOf(env: Env, name: string, most: number): number | undefined {
  const text = env[name];
  if (text === undefined || text === '') return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0 && seconds <= most) return seconds * 1000;
  throw new InfrastructureError(`${name} takes seconds from 0 to ${most}, not "${text}".`);
}

/** Returns the bundle of the build (one of two: with or without encrypted failures); when run from sources, has one made. */
function workflowSource({
  isOn,
}: Encryption): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath' | 'interceptors' | 'bundlerOptions'> {
  const codePath = path.join(__dirname, isOn ? 'workflow-bundle.encrypted.js' : 'workflow-bundle.js');
  if (existsSync(codePath)) return { workflowBundle: { codePath } };
  const workflowsPath = require.resolve('./workflows');
  const workflowModules = [require.resolve('./workflows/places'), require.resolve('./workflows/tracing')];
  // As in scripts/build.mjs.
  return {
    workflowsPath,
    interceptors: { workflowModules },
    bundlerOptions: { preloadModules: [workflowsPath, ...workflowModules] },
  };
}

/**
 * Returns the options for worker versioning, which is off unless the environment names a build: runs then stay on the build that
 * started them. See docs/changing-workflows.md. Pure.
 */
export function versioning(env: Env): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  const version = buildOf(env);
  if (!version) return {};
  return {
    workerDeploymentOptions: { version, useWorkerVersioning: true, defaultVersioningBehavior: 'PINNED' },
  };
}
