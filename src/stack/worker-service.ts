import { partIndices } from '../contract/parts';
import { firstOf } from '../support/listing';
import { openRuns, unreadableRuns, type StoredRun } from '../home/run-store';
import { mapConcurrently } from '../support/map-concurrently';
import type { HomePaths } from '../home/paths';
import type { Report } from '../provision/once';
import { recordedTeardown } from '../results/scores/recorded';
import { ownerAmong } from '../cleanup/owners';
import { connectClient } from '../temporal/connect';
import type { Env } from '../temporal/target';
import { endProcess } from './background-process';
import { refuseLosingTheKey, withKeyIds } from './encryption';
import { WorkerInUse } from './stack-errors';
import { networkFingerprint } from './network';
import { isRunning, readRecord, type ServiceName, type ServiceRecord } from './record';
import { startWorkerService } from './services';
import { findEmbedded, type TemporalReach } from './reach';

/** The background worker of a home: one process, for one server and one task queue. */

/** Milliseconds that a worker may take to finish its work before it is replaced. */
export const WORKER_GRACE_MS = 75_000;

export interface EnsureWorker {
  readonly home: HomePaths;
  readonly env: Env;
  readonly report?: Report | undefined;
  /** The server; it has answered. */
  readonly temporal: TemporalReach;
  /** The id of the namespace in the server's database: a worker marks what it makes with it. */
  readonly namespaceId: string;
  readonly taskQueue: string;
  /** Of the code. */
  readonly version: string;
  /** `worker` is appended if one was started. */
  readonly started: ServiceName[];
}

/** Keeps the worker if it fits, otherwise replaces it. Throws `WorkerInUse` if open runs on another server need it. */
export async function ensureWorker(request: EnsureWorker): Promise<void> {
  const { home, env, temporal, namespaceId, taskQueue, version, started } = request;
  const { address, namespace, isEmbedded } = temporal;
  const serves = { address, namespace, taskQueue, isEmbedded };
  const setup = withKeyIds([version, address, namespace, namespaceId, taskQueue], env);
  const record = await readRecord(home, 'worker');
  if (isRunning(record)) {
    const network = networkFingerprint(env);
    const reaches = network === undefined || network === record.network;
    if (record.setup === setup && reaches) return;
    refuseLosingTheKey(record, env);
    if (record.serves && !isSameWork(record.serves, serves)) await refuseToLeaveRuns(record.serves, request);
    const why = reaches
      ? 'runs another build or serves another address or database'
      : 'was started without the proxy or certificates that are set here';
    request.report?.(`replacing the background worker, which ${why}`);
    await endProcess(record, WORKER_GRACE_MS);
  }
  await startWorkerService({ home, env, serves, namespaceId, setup });
  started.push('worker');
}

type Serves = NonNullable<ServiceRecord['serves']>;

/** Whether both mean the same task queue; the home's own server may have another port by now. Pure. */
export function isSameWork(one: Serves, other: Serves): boolean {
  const isSameServer = one.isEmbedded ? other.isEmbedded : one.address === other.address && !other.isEmbedded;
  return isSameServer && one.namespace === other.namespace && one.taskQueue === other.taskQueue;
}

async function refuseToLeaveRuns(serves: Serves, { home, env, temporal }: EnsureWorker): Promise<void> {
  const open = await openRunsOn(serves, { home, env });
  if (open.length === 0) return;
  const named = firstOf(open, 5);
  const which = serves.isEmbedded ? "this home's own Temporal server" : `Temporal at ${serves.address}`;
  const asked = isSameServer(serves, temporal)
    ? `namespace "${temporal.namespace}" with the task queue that is set now`
    : `Temporal at ${temporal.address}`;
  throw new WorkerInUse(
    `The background worker of this home (${home.root}) serves ${which}, task queue "${serves.taskQueue}", for ${open.length === 1 ? 'an open run' : 'open runs'}: ${named}. ` +
      `It was not replaced, since nothing else would tear those runs down; nothing was created. For ${asked} use another home (EVALSAGA_HOME), ` +
      `or correct TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE or EVALSAGA_TASK_QUEUE; to leave the open runs without a worker anyway: evalsaga down --force`,
  );
}

const isSameServer = (serves: Serves, { address, isEmbedded }: TemporalReach): boolean =>
  serves.isEmbedded ? isEmbedded : serves.address === address;

/** Requests to Temporal at the same time. */
const concurrency = 4;

/** Returns the runs of this home that may be open. Only the home's own server can be asked; the settings of others are unknown here. */
async function openRunsOn(
  { isEmbedded }: Serves,
  { home, env }: Pick<EnsureWorker, 'home' | 'env'>,
): Promise<string[]> {
  const isThere = ({ origin }: Pick<StoredRun, 'origin'>): boolean =>
    origin === undefined || origin.startsWith('home:') === isEmbedded;
  const candidates = (await openRuns(home)).filter(isThere);
  const unrecorded = await mapConcurrently(candidates, concurrency, async ({ plan }) =>
    (await recordedTeardown(plan, home)) ? [] : [plan],
  );
  const unreadable = (await unreadableRuns(home)).filter(isThere);
  const plans = [...unrecorded.flat(), ...unreadable.map(({ invocation }) => ({ invocation, tasks: [] }))];
  const embedded = isEmbedded && plans.length > 0 ? await findEmbedded(home, env) : undefined;
  if (!embedded) return plans.map(({ invocation }) => invocation);
  const client = await connectClient({ ...embedded, timeoutMs: 5_000 }).catch(() => undefined);
  if (!client) return plans.map(({ invocation }) => invocation);
  try {
    const owned = await mapConcurrently(plans, concurrency, async (plan) => {
      const { invocation } = plan;
      const { kind } = await ownerAmong(client, invocation, partIndices(plan));
      return kind === 'live' ? [invocation] : [];
    });
    return owned.flat();
  } finally {
    await client.connection.close();
  }
}
