import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import type { NativeConnectionOptions } from '@temporalio/worker';
import type { DataConverter } from '@temporalio/common';
import { encryptionOf } from '../encryption/data-converter';
import type { HomePaths } from '../home/paths';
import type { Report } from '../provision/once';
import { connectClient } from '../temporal/connect';
import { findServerBinary } from '../temporal/server-binary';
import { temporalTarget, type Env, type TemporalTarget } from '../temporal/target';
import { endProcess } from './background-process';
import { codeVersion } from './code-version';
import { refuseLosingTheKey, withKeyMark } from './encryption';
import { startOnFreePorts } from './free-port-start';
import { untilHealthy, whileAlive } from './health';
import { withStackLock } from './lock';
import { networkMark } from './network';
import { hasLivePoller } from './pollers';
import { isRunning, readRecord, type ServiceName, type ServiceRecord } from './record';
import { localRuntime, startCodecService, startPlatformService, startTemporal, startWorkerService } from './services';

export interface StackRequest {
  readonly home: HomePaths;
  readonly env: Env;
  /** Runs go to the local platform: have it up. One that was up before and died is restarted in any case. */
  readonly localPlatform: boolean;
  readonly report?: Report | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How to reach the Temporal server of a command. */
export interface TemporalReach {
  readonly address: string;
  readonly namespace: string;
  readonly connection: NativeConnectionOptions;
  /** Encrypts and decrypts, with the user's key where one is set. */
  readonly dataConverter: DataConverter;
  readonly isEncrypted: boolean;
  /** Base URL of the Web UI, where known. */
  readonly uiBase: string | undefined;
  /** The home's own server. */
  readonly isEmbedded: boolean;
}

/** A stack that is up: the client is connected, and is the caller's to close. */
export interface Stack {
  readonly client: Client;
  readonly temporal: TemporalReach;
  readonly taskQueue: string;
  /** What was started just now. */
  readonly started: readonly ServiceName[];
}

/** How long a worker that is to be replaced may take to end what it does. */
export const WORKER_GRACE_MS = 75_000;
export const SERVICE_GRACE_MS = 15_000;
const START_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;

/**
 * Brings up what is not running of this home's background processes, all at once, and leaves the rest alone; a worker
 * or platform of an older build is replaced. Two callers at a time start nothing twice. Throws `InfrastructureError`.
 */
export async function ensureStack(request: StackRequest): Promise<Stack> {
  return withStackLock(request, async () => {
    const target = temporalTarget(request.env);
    // A key that does not do is to be known before anything is started.
    encryptionOf(request.env);
    const started: ServiceName[] = [];
    const version = codeVersion();
    const platform = ensurePlatform({ ...request, version, started });
    const serving = ensureTemporal({ ...request, target, started });
    const taskQueue = taskQueueOf({ target, request });
    const connecting = serving.then((server) => server.client ?? connect(server, request));
    const worker = serving.then(({ temporal }) =>
      ensureWorker({ ...request, target, temporal, taskQueue, version, started, connecting }),
    );
    const codec = serving.then((server) => ensureCodec(server, { ...request, version, started }));
    const failure = (await Promise.allSettled([connecting, worker, platform, codec])).find(
      (part) => part.status === 'rejected',
    );
    if (failure) {
      await connecting.then((client) => client.connection.close()).catch(() => undefined);
      throw failure.reason;
    }
    return { client: await connecting, temporal: (await serving).temporal, taskQueue, started };
  });
}

/** Where the running Temporal is, without starting anything; `undefined` when the embedded server does not run. */
export async function findTemporal(home: HomePaths, env: Env): Promise<TemporalReach | undefined> {
  const target = temporalTarget(env);
  if (target.kind === 'cluster') return clusterReach(target, env);
  const record = await readRecord(home, 'temporal');
  return isRunning(record) ? embeddedReach(record, env) : undefined;
}

function clusterReach(target: Extract<TemporalTarget, { kind: 'cluster' }>, env: Env): TemporalReach {
  const { address, namespace, connection } = target;
  return { address, namespace, connection, ...encrypting(env), uiBase: env['TEMPORAL_UI_URL'], isEmbedded: false };
}

function embeddedReach({ ports }: ServiceRecord, env: Env): TemporalReach {
  const address = `127.0.0.1:${ports['grpc']}`;
  const uiBase = `http://127.0.0.1:${ports['ui']}`;
  return { address, namespace: 'default', connection: { address }, ...encrypting(env), uiBase, isEmbedded: true };
}

function encrypting(env: Env): Pick<TemporalReach, 'dataConverter' | 'isEncrypted'> {
  const { dataConverter, isOn } = encryptionOf(env);
  return { dataConverter, isEncrypted: isOn };
}

type Ensure = StackRequest & { readonly started: ServiceName[] };

/** A server that this home's stack runs has a record; a cluster has none. */
interface Server {
  readonly temporal: TemporalReach;
  readonly record: ServiceRecord | undefined;
  /** Of a server that was started just now. */
  readonly client?: Client;
}

async function ensureTemporal(request: Ensure & { target: TemporalTarget }): Promise<Server> {
  const { home, env, target, report, signal, started } = request;
  if (target.kind === 'cluster') return { temporal: clusterReach(target, env), record: undefined };
  const running = await readRecord(home, 'temporal');
  if (isRunning(running)) return { temporal: embeddedReach(running, env), record: running };
  const binary = await findServerBinary({ home, env, report, signal });
  started.push('temporal');
  const { record, answer } = await startOnFreePorts({
    name: 'temporal',
    home,
    start: (taken) => startTemporal({ home, env, binary, taken }),
    answers: (record) => connectClient({ ...embeddedReach(record, env), timeoutMs: START_WITHIN_MS, signal }),
  });
  return { temporal: embeddedReach(record, env), record, client: answer };
}

async function connect({ temporal, record }: Server, { home, signal }: StackRequest): Promise<Client> {
  const connecting = connectClient({ ...temporal, timeoutMs: ANSWER_WITHIN_MS, signal });
  return whileAlive({ name: 'temporal', home, record }, connecting);
}

async function ensurePlatform({ home, env, localPlatform, signal, version, started }: Ensure & { version: string }) {
  const before = await readRecord(home, 'platform');
  if (!localPlatform && (before === undefined || before.stopped)) return;
  const runtime = localRuntime(env);
  const setup = runtime === 'process' ? version : `${version} ${runtime}`;
  const answers = ({ ports }: ServiceRecord) =>
    untilHealthy(`http://127.0.0.1:${ports['http']}/healthz`, { withinMs: START_WITHIN_MS, signal });
  if (isRunning(before) && before.setup === setup) {
    return whileAlive({ name: 'platform', home, record: before }, answers(before));
  }
  if (isRunning(before)) await endProcess(before, SERVICE_GRACE_MS);
  started.push('platform');
  const start = (taken: readonly number[]) => startPlatformService({ home, env, setup, taken });
  await startOnFreePorts({ name: 'platform', home, start, answers });
}

/** Decrypts for the embedded server's Web UI, at the address which that server was told when it was started. */
async function ensureCodec(
  { record: server }: Server,
  { home, env, report, signal, version, started }: Ensure & { version: string },
): Promise<void> {
  if (server === undefined || !encryptionOf(env).isOn) return;
  const { ui, codec } = server.ports;
  if (codec === undefined || ui === undefined) {
    report?.("Temporal's Web UI shows what is encrypted once it was started anew: evalsaga down, then evalsaga up");
    return;
  }
  const setup = withKeyMark([version, String(ui), String(codec)], env);
  let record = await readRecord(home, 'codec');
  if (!isRunning(record) || record.setup !== setup) {
    if (isRunning(record)) await endProcess(record, SERVICE_GRACE_MS);
    record = await startCodecService({ home, env, setup, port: codec, uiPort: ui });
    started.push('codec');
  }
  const health = `http://127.0.0.1:${codec}/healthz`;
  await whileAlive({ name: 'codec', home, record }, untilHealthy(health, { withinMs: START_WITHIN_MS, signal }));
}

interface EnsureWorker extends Ensure {
  readonly target: TemporalTarget;
  readonly temporal: TemporalReach;
  readonly taskQueue: string;
  readonly version: string;
  readonly connecting: Promise<Client>;
}

async function ensureWorker(request: EnsureWorker): Promise<void> {
  const { home, env, target, temporal, taskQueue, version, started, connecting } = request;
  const { address, namespace } = temporal;
  const setup = withKeyMark([version, address, namespace, taskQueue], env);
  const record = await readRecord(home, 'worker');
  if (isRunning(record)) {
    const network = networkMark(env);
    const reaches = network === undefined || network === record.network;
    if (record.setup === setup && reaches) return;
    refuseLosingTheKey(record, env);
    const why = reaches
      ? 'runs another build or serves another address'
      : 'was started without the proxy or certificates that are set here';
    request.report?.(`replacing the background worker, which ${why}`);
    await endProcess(record, WORKER_GRACE_MS);
  } else if (target.kind === 'cluster' && (await hasLivePoller(await connecting, taskQueue))) {
    return;
  }
  await startWorkerService({ home, env, target, address, taskQueue, setup });
  started.push('worker');
}

/**
 * On a shared cluster, work for the local platform must not go to workers on other machines, which cannot reach it:
 * this home has a task queue of its own then.
 */
function taskQueueOf({ target, request }: { target: TemporalTarget; request: StackRequest }): string {
  if (target.kind === 'embedded' || !request.localPlatform) return target.taskQueue;
  const digest = createHash('sha256').update(`${hostname()} ${request.home.root}`).digest('hex');
  return `${target.taskQueue}-${digest.slice(0, 12)}`;
}
