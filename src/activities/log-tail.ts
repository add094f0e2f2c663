import type { LeptonClient } from '../lepton/types';
import { newestLines } from '../results/logs/newest-lines';
import { within } from '../support/within';
import { causeIn } from './log-cause';

/** Bytes kept while a log streams by. */
const tailBytes = 65_536;
/** Milliseconds for reading the log: it only adds detail to an error. */
const budgetMs = 5_000;

/** The log of a failed job or deployment. */
export type FailedLog =
  | { readonly job: string; readonly createdAt: number | undefined }
  | { readonly deployment: string; readonly createdAt: number | undefined };

/**
 * Returns the last line of the log and, if another line names the cause, that line too. Leaves out lines that `said` already
 * contains. Empty if there is no log or it can't be read.
 */
export async function failureInLog(
  client: LeptonClient,
  log: FailedLog,
  options: { readonly said: string; readonly signal: AbortSignal },
): Promise<string> {
  return (await failureAndLog(client, log, options)).words;
}

/** The same, with the end of the log. */
export async function failureAndLog(
  client: LeptonClient,
  log: FailedLog,
  { said, signal }: { readonly said: string; readonly signal: AbortSignal },
): Promise<LogTail & { readonly words: string }> {
  const { lines, isRead } = await tailOf(client, log, signal);
  const { last, cause } = causeIn(lines);
  const words = [cause === '' ? '' : `its log says: ${cause}`, last === '' ? '' : `last log line: ${last}`];
  const texts = [cause, last];
  return {
    lines,
    isRead,
    words: words.filter((word, at) => word !== '' && !said.includes(texts[at] ?? '')).join('; '),
  };
}

/** The end of a log. */
interface LogTail {
  /** None if there is no log, or it can't be read. */
  readonly lines: readonly string[];
  /** Whether the platform answered, be it that there is none. */
  readonly isRead: boolean;
}

/** Returns the last lines of a log; none if there is no log or it can't be read. */
export const lastLines = async (
  client: LeptonClient,
  log: FailedLog,
  signal: AbortSignal,
): Promise<readonly string[]> => (await tailOf(client, log, signal)).lines;

async function tailOf(client: LeptonClient, log: FailedLog, signal: AbortSignal): Promise<LogTail> {
  let tail = Buffer.alloc(0);
  let isMissing = false;
  const read = async (bounded: AbortSignal): Promise<boolean> => {
    const opened = await openLog(client, log, bounded);
    isMissing = opened === undefined;
    for await (const chunk of opened ?? []) tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
    return !isMissing;
  };
  const isWhole = await within({ ms: budgetMs, signal }, read).catch(() => false);
  // Only the beginning of a long log was read in time; if the platform keeps timestamps, its end can be queried.
  const newest = isWhole ? undefined : await newestOf(client, log, signal);
  return {
    lines: newest ?? tail.toString('utf8').split(/\r?\n/),
    isRead: isWhole || isMissing || newest !== undefined || tail.length > 0,
  };
}

/** Resolves to `undefined` if no replica is left to read the log of. */
async function openLog(
  client: LeptonClient,
  log: FailedLog,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const isJob = 'job' in log;
  const replicas = isJob
    ? await client.jobReplicas(log.job, { signal })
    : await client.deploymentReplicas(log.deployment, { signal });
  const id = replicas[0]?.id;
  if (id === undefined) return undefined;
  return isJob ? client.jobLog(log.job, id, { signal }) : client.deploymentLog(log.deployment, id, { signal });
}

async function newestOf(
  client: LeptonClient,
  log: FailedLog,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const of = 'job' in log ? { job: log.job } : { deployment: log.deployment };
  const read = async (bounded: AbortSignal): Promise<readonly string[] | undefined> => {
    const pages = newestLines({ client, of, createdAt: log.createdAt, pageLines: 200, signal: bounded });
    for await (const page of pages) return page.map(({ text }) => text).reverse();
    return undefined;
  };
  return within({ ms: budgetMs, signal }, read).catch(() => undefined);
}
