import type { LeptonClient } from '../lepton/types';

/** Bytes kept while a log streams by. */
const tailBytes = 16_384;
/** Milliseconds that a look at the log may take: it decorates an error, no more. */
const budgetMs = 5_000;

/** The last line of a job's log that says something, at most 300 characters; empty when there is none or it can't be had. */
export async function lastLogLine(client: LeptonClient, jobId: string, signal: AbortSignal): Promise<string> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(budgetMs)]);
  let tail = Buffer.alloc(0);
  try {
    const replica = (await client.jobReplicas(jobId, { signal: bounded }))[0];
    if (!replica) return '';
    for await (const chunk of client.jobLog(jobId, replica.id, { signal: bounded })) {
      tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
    }
  } catch {
    // What came until then is still worth showing.
  }
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
