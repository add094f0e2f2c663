import path from 'node:path';
import type { Deployment, Job, LeptonClient, LogRange, TimedLine } from '../../lepton/types';
import { within } from '../../support/within';
import { timeLimitedLog } from './time-limited-log';
import { localFault } from '../../support/local-fault';
import { recordLogTimes } from './log-times';
import { saveLog } from './save-log';
import { newestLines } from './newest-lines';
import { NoTimedLogs, timedLog } from './timed-log';
import { wholeLog } from './whole-log';

/** Saves the logs of endpoints and jobs on this machine, for a task's teardown, a sweep or a cleanup. */

export interface SaveReplicaLogsRequest {
  readonly client: LeptonClient;
  readonly signal: AbortSignal;
  readonly target: string;
  /** Used when the target can't be written. */
  readonly fallback: string;
  /** Masked in the files. */
  readonly secrets: readonly string[];
  readonly budget: LogBudget;
  /** Called if the log did not come whole, so that its middle is missing. */
  readonly onCut?: (() => void) | undefined;
}

/** Milliseconds. */
export interface LogBudget {
  /** For one log; after that, its last lines are added. */
  readonly logMs: number;
  /** For the times of the log's lines. */
  readonly timesMs: number;
  /** Silence after which the log counts as complete; default 10 000. */
  readonly quietMs?: number;
}

/** Limit on one saved log, bytes; of a longer one the middle is left out. */
const maxLogBytes = 64 * 1024 * 1024;

/**
 * Saves the logs of an endpoint's replicas: the first as the target, others numbered beside it. Resolves to a note for the user, or
 * `null`. Throws `LeptonError`.
 */
export async function saveDeploymentLogs(
  request: SaveReplicaLogsRequest,
  { metadata: { name = '', created_at: createdAt } }: Pick<Deployment, 'metadata'>,
): Promise<string | null> {
  const { client, signal } = request;
  return saveAll({
    ...request,
    of: { deployment: name },
    createdAt,
    replicas: () => client.deploymentReplicas(name, { signal }),
    open: (replica, ended) => client.deploymentLog(name, replica, { signal: ended }),
  });
}

/** Does the same for a job. */
export async function saveJobLogs(
  request: SaveReplicaLogsRequest,
  { id, job }: { readonly id: string; readonly job: Pick<Job, 'metadata' | 'status'> | undefined },
): Promise<string | null> {
  const { client, signal } = request;
  return saveAll({
    ...request,
    of: { job: id },
    createdAt: job?.metadata.created_at ?? job?.status?.creation_time,
    replicas: () => client.jobReplicas(id, { signal }),
    open: (replica, ended) => client.jobLog(id, replica, { signal: ended }),
  });
}

interface Saving extends SaveReplicaLogsRequest {
  readonly of: LogRange['of'];
  readonly createdAt: number | undefined;
  readonly replicas: () => Promise<readonly { readonly id: string }[]>;
  readonly open: (replica: string, signal: AbortSignal) => AsyncIterable<Uint8Array>;
}

async function saveAll(saving: Saving): Promise<string | null> {
  const whole = await shortLog(saving);
  if (whole) return saveOne(saving, { position: 0, ...whole });
  const { open } = saving;
  const replicas = await saving.replicas();
  // Logs outlive replicas: an archived or crashed job may have only a log by time.
  if (replicas.length === 0) return saveOne(saving, { position: 0, source: (signal) => byTime(saving, signal) });
  const notes: (string | null)[] = [];
  for (const [position, { id }] of replicas.entries()) {
    const source = (signal: AbortSignal) =>
      timeLimitedLog((ended) => open(id, ended), {
        withinMs: saving.budget.logMs,
        lastLines: () => lastLines(saving, id),
        signal,
      });
    notes.push(await saveOne(saving, { position, source, replica: id }));
  }
  return notes.filter((text) => text !== null).join(' ') || null;
}

interface OneLog {
  readonly position: number;
  readonly source: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly replica?: string;
  /** The times of all its lines; absent: the platform is asked for them. */
  readonly times?: readonly TimedLine[];
}

/** Reads the whole log at once, if it is short and the platform can prove it; a failure leaves it to the replicas. */
async function shortLog(saving: Saving): Promise<Pick<OneLog, 'source' | 'times'> | undefined> {
  const { client, of, createdAt, signal, budget } = saving;
  const read = (bounded: AbortSignal) => wholeLog({ client, of, createdAt, signal: bounded });
  const whole = await within({ ms: budget.timesMs, signal }, read).catch(() => undefined);
  return whole && { source: () => onePiece(whole.content), times: whole.lines };
}

async function* onePiece(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(content);
}

async function saveOne(saving: Saving, log: OneLog): Promise<string | null> {
  const target = numbered(saving.target, log.position);
  try {
    await saveTo(target, saving, log);
    return null;
  } catch (error) {
    const fault = localFault(error);
    if (!fault) throw error;
    const file = numbered(saving.fallback, log.position);
    await saveTo(file, saving, log);
    return `${target} can't be written: ${fault.reason}; the log is in ${file}.`;
  }
}

async function saveTo(file: string, saving: Saving, { source, replica, times }: OneLog): Promise<void> {
  const { signal, of, createdAt, budget, secrets } = saving;
  const client = times ? { logLines: () => Promise.resolve([...times]) } : saving.client;
  const quietMs = budget.quietMs;
  const { bytes, isCut, isEarlier } = await saveLog({ source, file, maxBytes: maxLogBytes, signal, secrets, quietMs });
  if (isCut) saving.onCut?.();
  // What was kept has its times already.
  if (bytes === 0 || isEarlier) return;
  await within({ ms: budget.timesMs, signal }, (bounded) =>
    recordLogTimes({ client, of, replica, createdAt, file, secrets, signal: bounded }),
  );
}

/** Yields the lines of the log by time; nothing if the platform keeps no times. */
async function* byTime({ client, of, createdAt }: Saving, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const since = new Date(createdAt ?? Date.now() - 86_400_000);
  const isOver = () => Promise.resolve(true);
  try {
    for await (const line of timedLog({ client, of, since, follow: false, isOver, signal }))
      yield Buffer.from(`${line}\n`);
  } catch (error) {
    if (!(error instanceof NoTimedLogs)) throw error;
  }
}

async function lastLines(
  { client, of, createdAt, signal }: Saving,
  replica: string,
): Promise<readonly string[] | undefined> {
  const read = async (bounded: AbortSignal): Promise<readonly string[] | undefined> => {
    for await (const page of newestLines({ client, of, replica, createdAt, signal: bounded }))
      return page.map(({ text }) => text).reverse();
    return undefined;
  };
  // Without them, reading of the log continues.
  return within({ ms: 5_000, signal }, read).catch(() => undefined);
}

/** Returns `logs/job.log` for the first replica, `logs/job.1.log` for the next. */
function numbered(file: string, position: number): string {
  if (position === 0) return file;
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}.${position}${ext}`);
}
