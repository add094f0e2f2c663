import type { Client } from '@temporalio/client';
import { encryptionOf } from '../temporal/encryption/data-converter';
import type { HomePaths } from '../home/paths';
import { checkHome } from '../home/usable';
import type { Report } from '../provision/once';
import { connectClient } from '../temporal/connect';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { findServerBinary } from './server-binary';
import { temporalTarget, type Env, type TemporalTarget } from '../temporal/target';
import { endProcess } from './background-process';
import { codeVersion } from './code-version';
import { withKeyMark } from './encryption';
import { databaseAdvice, faultOfFile } from './database';
import { startOnFreePorts } from './free-port-start';
import { untilHealthy, whileAlive } from './health';
import { withStackLock } from './lock';
import { isRunning, readRecord, writeRecord, type ServiceName, type ServiceRecord } from './record';
import { localRuntime, startCodecService, startPlatformService, startTemporal } from './services';
import { chooseQueues } from './queues';
import { clusterReach, embeddedReach, type TemporalReach } from './reach';
import { ensureWorker } from './worker-service';

export interface StackRequest {
  readonly home: HomePaths;
  readonly env: Env;
  /** Runs go to the local platform: have it up. One that was up before and died is restarted in any case. */
  readonly localPlatform: boolean;
  readonly report?: Report | undefined;
  readonly signal?: AbortSignal | undefined;
}

export { findTemporal, type TemporalReach } from './reach';

/** A stack that is up: the client is connected, and is the caller's to close. */
export interface Stack {
  readonly client: Client;
  readonly temporal: TemporalReach;
  /** Of new runs. */
  readonly taskQueue: string;
  /** Of this home's own worker, where that is another one: for what only this machine can do of a run. */
  readonly homeQueue: string | undefined;
  /** What was started just now. */
  readonly started: readonly ServiceName[];
}

export const SERVICE_GRACE_MS = 15_000;
const START_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;

/**
 * Brings up what is not running of this home's background processes, all at once, and leaves the rest alone; a worker
 * or platform of an older build is replaced. Two callers at a time start nothing twice. Throws `InfrastructureError`.
 */
export async function ensureStack(request: StackRequest): Promise<Stack> {
  await checkHome(request.home);
  return withStackLock(request, async () => {
    const target = temporalTarget(request.env);
    // A key that does not do is to be known before anything is started.
    encryptionOf(request.env);
    const started: ServiceName[] = [];
    const version = codeVersion();
    const platform = ensurePlatform({ ...request, version, started });
    const serving = ensureTemporal({ ...request, target, started });
    const connecting = serving.then((server) => server.client ?? connect(server, request));
    // A server that is not there, or another than was meant, must not cost the worker that serves the right one.
    const worker = Promise.all([serving, connecting]).then(async ([{ temporal }, client]) => {
      const queues = await chooseQueues({ ...request, target, client });
      await ensureWorker({ ...request, temporal, taskQueue: queues.own, version, started });
      return queues;
    });
    const codec = serving.then((server) => ensureCodec(server, { ...request, version, started }));
    const failure = (await Promise.allSettled([connecting, worker, platform, codec])).find(
      (part) => part.status === 'rejected',
    );
    if (failure) {
      await connecting.then((client) => client.connection.close()).catch(() => undefined);
      await takeBack(request, started);
      throw failure.reason;
    }
    const { run: taskQueue, own } = await worker;
    const homeQueue = own === taskQueue ? undefined : own;
    return { client: await connecting, temporal: (await serving).temporal, taskQueue, homeQueue, started };
  });
}

/** What was started for a command that can't go on: nobody would know of it. */
async function takeBack({ home, report }: StackRequest, started: readonly ServiceName[]): Promise<void> {
  if (started.length > 0) report?.(`stopping what was started just now: ${started.join(', ')}`);
  await Promise.all(
    started.map(async (name) => {
      const record = await readRecord(home, name);
      if (isRunning(record)) await endProcess(record, SERVICE_GRACE_MS);
      if (record) await writeRecord(home, name, { ...record, stopped: true });
    }),
  );
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
  // A server that is given a damaged file may hang over it, or say so in its own words.
  const fault = faultOfFile(home.temporalDatabase);
  if (fault !== undefined) throw new InfrastructureError(await databaseAdvice(home, fault));
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
