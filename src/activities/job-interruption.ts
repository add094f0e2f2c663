import { failureTypes } from '../contract/failure-types';
import type { AwaitJobInput } from '../contract/inputs/job';
import { readJobEnd } from '../lepton/job-end';
import type { Platform } from '../lepton/platforms';
import type { Job, LeptonClient, PlatformEvent } from '../lepton/types';
import { interruptedMarkers } from '../results/scores/notes';
import { hasStorageApi } from '../results/transfer/task-storage';
import { InARow, absencesToBelieve } from './absences';
import { finalFailure, isRefusal } from './failures';
import { lastLines } from './log-tail';

const scoresFile = 'results.yml';

interface EndedJob {
  readonly job: Job | undefined;
  readonly signal: AbortSignal;
}

/** Readings of a job's events in a row after which the job is judged without them. The pauses between six add up to half a minute. */
const unread = { refused: new InARow(absencesToBelieve), unanswered: new InARow(6) } as const;

/**
 * Reads the events of a job that has ended: often they alone say why, and whether another job may follow. Rejects if they can't be
 * read just now, and returns none if that lasts.
 */
export async function eventsOfEnded(client: LeptonClient, { job, signal }: EndedJob): Promise<PlatformEvent[]> {
  const id = job?.metadata.id;
  if (id === undefined) return [];
  const key = `${client.access.url} ${id}`;
  try {
    const events = await client.jobEvents(id, { signal });
    for (const failures of Object.values(unread)) failures.isReached(key, false);
    return events;
  } catch (error) {
    const failures = isRefusal(error) ? unread.refused : unread.unanswered;
    if (!signal.aborted && failures.isReached(key, true)) return [];
    throw error;
  }
}

/**
 * Fails if a completed job was interrupted: told to stop, it ends in good order, and some platforms take that for success. Its
 * results folder has a marker then; where that can't be listed, its log says so.
 */
export async function refuseInterrupted(
  { client, lookups }: Pick<Platform, 'client' | 'lookups'>,
  { name, results }: AwaitJobInput,
  ended: EndedJob,
): Promise<void> {
  if (results === undefined) return;
  const why = (await hasStorageApi(client))
    ? await whyMarked(lookups, { client, results, ended })
    : await whyTold(client, ended);
  if (why === undefined) return;
  throw finalFailure(
    failureTypes.jobInterrupted,
    `job ${name} ended as Completed, but was interrupted before it had evaluated everything: ${why}`,
  );
}

async function whyMarked(
  lookups: Platform['lookups'],
  {
    client,
    results: { fileSystem, path },
    ended,
  }: {
    readonly client: LeptonClient;
    readonly results: NonNullable<AwaitJobInput['results']>;
    readonly ended: EndedJob;
  },
): Promise<string | undefined> {
  const names = await lookups.folder(fileSystem, path);
  const isMarked = interruptedMarkers.some((marker) => names.includes(marker));
  if (!isMarked && names.includes(scoresFile)) return undefined;
  const end = readJobEnd({ job: ended.job, events: await eventsOfEnded(client, ended), lines: [] });
  if (end.kind === 'from outside') return end.why;
  return isMarked ? 'told to stop' : undefined;
}

async function whyTold(client: LeptonClient, ended: EndedJob): Promise<string | undefined> {
  const { job, signal } = ended;
  const log = { job: job?.metadata.id ?? '', createdAt: job?.metadata.created_at };
  const lines = await lastLines(client, log, signal);
  const end = readJobEnd({ job, events: [], lines });
  return end.kind === 'from outside' ? end.why : undefined;
}
