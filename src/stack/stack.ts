import type { Client } from '@temporalio/client';
import { encryptionOf } from '../temporal/encryption/data-converter';
import type { HomePaths } from '../home/paths';
import { checkHome } from '../home/usable';
import type { Report } from '../provision/once';
import { connectClient } from '../temporal/connect';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { namespaceIdAtConnect } from '../temporal/origin';
import { findServerBinary } from './server-binary';
import { temporalTarget, type Env, type TemporalTarget } from '../temporal/target';
import { endProcess } from './background-process';
import { codeVersion } from './code-version';
import { withKeyIds } from './encryption';
import { databaseAdvice } from './database-advice';
import { faultAtRest } from './database';
import { startOnFreePorts } from './free-port-start';
import { untilHealthy, whileAlive } from './health';
import { withStackLock } from './lock';
import { isRunning, readRecord, writeRecord, type ServiceName, type ServiceRecord } from './record';
import { localRuntime, startCodecService, startPlatformService, startTemporal } from './services';
import { chooseQueues } from './queues';
import { keepEndedRuns } from './retention';
import { clusterReach, embeddedReach, type TemporalReach } from './reach';
import { ensureWorker } from './worker-service';

export interface StackRequest {
  readonly home: HomePaths;
  readonly env: Env;
  /** Whether runs need the local platform. One that has died is restarted in any case. */
  readonly localPlatform: boolean;
  readonly report?: Report | undefined;
  readonly signal?: AbortSignal | undefined;
}

export { findTemporal, type TemporalReach } from './reach';

/** A running stack. The client is connected; the caller closes it. */
export interface Stack {
  readonly client: Client;
  readonly temporal: TemporalReach;
  /** Of new runs. */
  readonly taskQueue: string;
  /** Of this home's worker, if it is another one: for the parts of a run that only this machine can do. */
  readonly homeQueue: string | undefined;
  /** What this call started. */
  readonly started: readonly ServiceName[];
}

export const SERVICE_GRACE_MS = 15_000;
const START_WITHIN_MS = 60_000;
const ANSWER_WITHIN_MS = 10_000;

/**
 * Starts those of this home's background processes that are needed and not running, at the same time; replaces a worker or platform of
 * another build. Concurrent callers start nothing twice. Throws `InfrastructureError`.
 */
export async function ensureStack(request: StackRequest): Promise<Stack> {
  await checkHome(request.home);
  return withStackLock(request, async () => {
    const target = temporalTarget(request.env);
    // Fail on an unusable key before anything is started.
    encryptionOf(request.env);
    const started: ServiceName[] = [];
    const version = codeVersion();
    const platform = ensurePlatform({ ...request, version, started });
    const serving = ensureTemporal({ ...request, target, started });
    const connecting = serving.then((server) => server.client ?? connect(server, request));
    // The worker may be replaced only once the server has answered: the address may be wrong.
    const worker = Promise.all([serving, connecting]).then(async ([{ temporal }, client]) => {
      const [queues, id] = await Promise.all([
        chooseQueues({ ...request, target, client }),
        namespaceIdAtConnect({ connection: client.connection, namespace: temporal.namespace }),
      ]);
      await ensureWorker({ ...request, temporal, namespaceId: id, taskQueue: queues.own, version, started });
      return queues;
    });
    const retention = Promise.all([serving, connecting]).then(([{ record }, client]) =>
      record === undefined ? undefined : keepEndedRuns(client),
    );
    const codec = serving.then((server) => ensureCodec(server, { ...request, version, started }));
    const failure = (await Promise.allSettled([connecting, worker, platform, codec, retention])).find(
      (part) => part.status === 'rejected',
    );
    if (failure) {
      await connecting.then((client) => client.connection.close()).catch(() => undefined);
      await stopStarted(request, started);
      throw failure.reason;
    }
    const { run: taskQueue, own } = await worker;
    const homeQueue = own === taskQueue ? undefined : own;
    return { client: await connecting, temporal: (await serving).temporal, taskQueue, homeQueue, started };
  });
}

/** Stops what was started for a command that fails. */
async function stopStarted({ home, report }: StackRequest, started: readonly ServiceName[]): Promise<void> {
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

/** A server of this home's stack has a record; a cluster has none. */
interface Server {
  readonly temporal: TemporalReach;
  readonly record: ServiceRecord | undefined;
  /** Connected already, if the server was just started. */
  readonly client?: Client;
}

async function ensureTemporal(request: Ensure & { target: TemporalTarget }): Promise<Server> {
  const { home, env, target, report, signal, started } = request;
  if (target.kind === 'cluster') return { temporal: clusterReach(target, env), record: undefined };
  const running = await readRecord(home, 'temporal');
  if (isRunning(running)) return { temporal: embeddedReach(running, env), record: running };
  // With a damaged file, the server may hang or report it in its own words.
  const fault = faultAtRest(home.temporalDatabase);
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

/** Starts the codec server for the embedded server's Web UI, on the port that the server was started with. */
async function ensureCodec(
  { record: server }: Server,
  { home, env, report, signal, version, started }: Ensure & { version: string },
): Promise<void> {
  if (server === undefined || !encryptionOf(env).isOn) return;
  const { ui, codec } = server.ports;
  if (codec === undefined || ui === undefined) {
    report?.("Temporal's Web UI can decrypt only after a restart: evalsaga down, then evalsaga up");
    return;
  }
  const setup = withKeyIds([version, String(ui), String(codec)], env);
  let record = await readRecord(home, 'codec');
  if (!isRunning(record) || record.setup !== setup) {
    if (isRunning(record)) await endProcess(record, SERVICE_GRACE_MS);
    record = await startCodecService({ home, env, setup, port: codec, uiPort: ui });
    started.push('codec');
  }
  const health = `http://127.0.0.1:${codec}/healthz`;
  await whileAlive({ name: 'codec', home, record }, untilHealthy(health, { withinMs: START_WITHIN_MS, signal }));
}
