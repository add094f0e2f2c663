import type { LeptonClient } from '../lepton/types';
import { within } from '../timing/within';

/** Bytes kept while a log streams by. */
const tailBytes = 16_384;
/** Milliseconds that a look at the log may take: it decorates an error, no more. */
const budgetMs = 5_000;

/** The last line of a job's log that says something, at most 300 characters; empty when there is none or it can't be had. */
export async function lastLogLine(client: LeptonClient, jobId: string, signal: AbortSignal): Promise<string> {
  let tail = Buffer.alloc(0);
  const read = async (bounded: AbortSignal): Promise<void> => {
    const replica = (await client.jobReplicas(jobId, { signal: bounded }))[0];
    if (!replica) return;
    for await (const chunk of client.jobLog(jobId, replica.id, { signal: bounded }))
      tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
  };
  // What came until then is still worth showing.
  await within({ ms: budgetMs, signal }, read).catch(() => undefined);
  const lines = tail
    .toString('utf8')
    .split(/\r?\n/)
    .map((line) => line.trim());
  return (
    lines
      .filter((line) => line !== '')
      .at(-1)
      ?.slice(-300) ?? ''
  );
}
