import path from 'node:path';
import {
  expectedRestMs,
  withObservation,
  type JobProgress,
  type ProgressAt,
  type SeenProgress,
} from '../contract/job-progress';
import type { AwaitJobInput } from '../contract/inputs/job';
import { LeptonError } from '../lepton/lepton-error';
import type { Pace } from '../lepton/pace';
import type { Platform } from '../lepton/platforms';
import type { Job, LeptonClient } from '../lepton/types';
import { timeOfLog } from '../results/logs/newest-lines';
import { barMark, progressInLog, progressInStats } from '../results/progress/log-progress';
import { within } from '../support/within';

/** Looks how far running jobs are: rarely, and never at the expense of the wait for their end. */

/** Milliseconds between two questions about the same job, and until the first. */
const everyMs = { local: 5_000, lepton: 30_000 } as const satisfies Readonly<Record<Pace, number>>;
/** Tries in a row without an answer, after which no more is asked; the pause doubles with each. */
const mostTries = 6;
/** Milliseconds for one question. */
const questionMs = 5_000;
/** Lines that are asked for: a log store that can't search returns any. */
const lines = 60;
/** Bytes of the evaluator's statistics that are read at most. */
const mostStatsBytes = 256 * 1024;

/** Where it may be told. A job's log, first; else the statistics that the evaluator writes into its folder now and then. */
type Source = 'log' | 'statistics';

/** What is remembered of a job, in this worker's memory. Times by a monotonic clock. */
interface Watched {
  readonly source: Source;
  /** Not before. */
  readonly nextAtMs: number;
  readonly misses: number;
  readonly observations: readonly ProgressAt[];
  readonly progress: JobProgress | undefined;
  readonly isAsking: boolean;
}

/** Platforms that have no logs by time. */
const withoutLogs = new WeakSet<LeptonClient>();

/** What came of a question. `failed`: the platform gave no answer, which says nothing about the job. */
export type Answer = SeenProgress | 'nothing' | 'failed';

/** After a question: when the next follows, and where it is asked. Pure. */
export function afterQuestion(
  before: Pick<Watched, 'source' | 'misses'>,
  { answer, nowMs, pace }: { readonly answer: Answer; readonly nowMs: number; readonly pace: Pace },
): Pick<Watched, 'source' | 'misses' | 'nextAtMs'> {
  if (answer === 'failed') return { ...before, nextAtMs: nowMs + everyMs[pace] * 4 };
  if (answer !== 'nothing') return { source: before.source, misses: 0, nextAtMs: nowMs + everyMs[pace] };
  const misses = before.misses + 1;
  const source = before.source === 'log' ? 'statistics' : 'log';
  if (misses >= mostTries) return { source, misses, nextAtMs: Infinity };
  return { source, misses, nextAtMs: nowMs + everyMs[pace] * 2 ** (misses - 1) };
}

/** Adds what was seen to what is known, with the expected end. Times are milliseconds since the epoch. Pure. */
export function progressAfter(
  observations: readonly ProgressAt[],
  seen: ProgressAt,
): { readonly observations: readonly ProgressAt[]; readonly progress: JobProgress } {
  const all = withObservation(observations, seen);
  const last = all.at(-1) ?? seen;
  const restMs = expectedRestMs(all);
  const expectedEnd = restMs === undefined ? null : new Date(last.atMs + restMs).toISOString();
  const { done, total, unit, atMs } = last;
  return { observations: all, progress: { done, total, unit, at: new Date(atMs).toISOString(), expectedEnd } };
}

export interface Measurement {
  readonly input: AwaitJobInput;
  readonly platform: Pick<Platform, 'client' | 'pace' | 'mayMeasure'>;
  readonly job: Job;
  /** Milliseconds that the job has been waited for. */
  readonly elapsedMs: number;
  readonly signal: AbortSignal;
  /** Receives news, unless the wait is over. */
  readonly onProgress: (progress: JobProgress) => void;
  /** Receives what was read of the job's log. Default: nobody. */
  readonly onLines?: (texts: readonly string[]) => void;
}

/** How far the jobs are that this worker waits for. */
export class JobProgressWatch {
  private readonly watched = new Map<string, Watched>();

  /** Returns what is known of the job, and asks for more in the background if it is time. Never throws. */
  look(measurement: Measurement): JobProgress | undefined {
    const { input, platform, elapsedMs } = measurement;
    const key = keyOf(input);
    const nowMs = performance.now();
    const known = this.watched.get(key) ?? firstLook(nowMs, { elapsedMs, pace: platform.pace });
    this.remember(key, known);
    const isTime = nowMs >= known.nextAtMs && !known.isAsking;
    // Its questions are limited for all jobs together.
    if (isTime && platform.mayMeasure()) void this.ask(key, known, measurement);
    return known.progress;
  }

  private async ask(key: string, known: Watched, measurement: Measurement): Promise<void> {
    const { platform, signal, onProgress } = measurement;
    this.remember(key, { ...known, isAsking: true });
    const source = known.source === 'log' && withoutLogs.has(platform.client) ? 'statistics' : known.source;
    const answer = await within({ ms: questionMs, signal }, (bounded) => askAt(source, measurement, bounded)).catch(
      () => 'failed' as const,
    );
    const { misses } = known;
    const next = afterQuestion({ source, misses }, { answer, nowMs: performance.now(), pace: platform.pace });
    const after =
      typeof answer === 'string' ? undefined : progressAfter(known.observations, { ...answer, atMs: Date.now() });
    this.remember(key, { ...known, ...next, ...after, isAsking: false });
    if (after && !signal.aborted && hasChanged(known.progress, after.progress)) onProgress(after.progress);
  }

  /** Bounds memory: what is forgotten is asked again. */
  private remember(key: string, watched: Watched): void {
    if (this.watched.size > 10_000) this.watched.clear();
    this.watched.set(key, watched);
  }
}

const firstLook = (
  nowMs: number,
  { elapsedMs, pace }: { readonly elapsedMs: number; readonly pace: Pace },
): Watched => ({
  source: 'log',
  nextAtMs: nowMs + Math.max(0, everyMs[pace] - elapsedMs),
  misses: 0,
  observations: [],
  progress: undefined,
  isAsking: false,
});

const keyOf = ({ platform, id }: AwaitJobInput): string => `${platform.workspace} ${id}`;

const hasChanged = (before: JobProgress | undefined, after: JobProgress): boolean =>
  before?.done !== after.done || before.total !== after.total || before.expectedEnd !== after.expectedEnd;

const askAt = async (source: Source, measurement: Measurement, signal: AbortSignal): Promise<Answer> =>
  (await (source === 'log' ? askLog(measurement, signal) : askStatistics(measurement, signal))) ?? 'nothing';

async function askLog(
  { input, platform: { client }, job, onLines }: Measurement,
  signal: AbortSignal,
): Promise<SeenProgress | undefined> {
  const range = { of: { job: input.id }, ...timeOfLog(job.metadata.created_at), limit: lines, newest: true };
  const found = await client.logLines({ ...range, text: barMark }, { signal });
  if (found === undefined) {
    withoutLogs.add(client);
    return undefined;
  }
  const texts = found.map(({ text }) => text);
  onLines?.(texts);
  return progressInLog(texts, input.progress?.harness ?? '');
}

async function askStatistics(
  { input: { progress }, platform: { client } }: Measurement,
  signal: AbortSignal,
): Promise<SeenProgress | undefined> {
  if (progress === undefined) return undefined;
  const file = path.posix.join(progress.folder, 'eval_factory_metrics.json');
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of client.storage.read(progress.fileSystem, file, { signal })) {
      pieces.push(piece);
      bytes += piece.byteLength;
      if (bytes > mostStatsBytes) return undefined;
    }
  } catch (error) {
    // It is not there before the first hundred requests.
    if (error instanceof LeptonError && error.kind === 'not_found') return undefined;
    throw error;
  }
  return progressInStats(Buffer.concat(pieces).toString('utf8'));
}
