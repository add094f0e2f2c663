import type { LeptonClient } from '../lepton/types';
import { newestLines } from '../results/logs/newest-lines';
import { within } from '../support/within';
import { causeIn } from './log-cause';

/** Bytes kept while a log streams by. */
const tailBytes = 65_536;
/** Milliseconds that a look at the log may take: it decorates an error, no more. */
const budgetMs = 5_000;

/** A log whose end is worth a look, because what writes it has failed. */
export type FailedLog =
  | { readonly job: string; readonly createdAt: number | undefined }
  | { readonly deployment: string; readonly createdAt: number | undefined };

/**
 * What the end of the log says of the failure: its last line and, where another line names the cause, that one, as
 * `last log line: …`. Empty when there is none or it can't be had, and of what `said` holds already.
 */
export async function lastWords(
  client: LeptonClient,
  log: FailedLog,
  { said, signal }: { readonly said: string; readonly signal: AbortSignal },
): Promise<string> {
  const { last, cause } = causeIn(await lastLines(client, log, signal));
  const words = [cause === '' ? '' : `its log says: ${cause}`, last === '' ? '' : `last log line: ${last}`];
  const texts = [cause, last];
  return words.filter((word, at) => word !== '' && !said.includes(texts[at] ?? '')).join('; ');
}

async function lastLines(client: LeptonClient, log: FailedLog, signal: AbortSignal): Promise<readonly string[]> {
  let tail = Buffer.alloc(0);
  const read = async (bounded: AbortSignal): Promise<boolean> => {
    for await (const chunk of await openLog(client, log, bounded))
      tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
    return true;
  };
  const isWhole = await within({ ms: budgetMs, signal }, read).catch(() => false);
  // Of a long log only the beginning came in that time: where the platform keeps times, its end can be asked for.
  const newest = isWhole ? undefined : await newestOf(client, log, signal);
  return newest ?? tail.toString('utf8').split(/\r?\n/);
}

async function openLog(client: LeptonClient, log: FailedLog, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const isJob = 'job' in log;
  const replicas = isJob
    ? await client.jobReplicas(log.job, { signal })
    : await client.deploymentReplicas(log.deployment, { signal });
  const id = replicas[0]?.id;
  if (id === undefined) throw new Error('no replica is left to read the log of');
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
