/** How far a job's evaluation is, and when it may be done. Pure. */

/** What the harness counts: requests to the model, samples of its data, or steps of a kind that it doesn't name. */
export type ProgressUnit = 'requests' | 'samples' | 'steps';

/** Progress as a job's log or files tell it. */
export interface SeenProgress {
  readonly done: number;
  /** `null`: the harness doesn't say how many there will be. */
  readonly total: number | null;
  readonly unit: ProgressUnit;
}

export interface JobProgress extends SeenProgress {
  /** When this was so, ISO 8601. */
  readonly at: string;
  /** When it will be done at the recent rate, ISO 8601; `null`: there is too little evidence to say. */
  readonly expectedEnd: string | null;
}

/** Progress at one time, milliseconds of any one clock. */
export interface ProgressAt extends SeenProgress {
  readonly atMs: number;
}

/** Rates are measured over the last ten minutes. */
const windowMs = 600_000;
/** Observations that are kept. */
const most = 40;
/** Less than this says nothing about a rate. */
const least = { observations: 3, spanMs: 8_000, done: 4 } as const;
/** How many times longer than it was watched the rest may take; beyond it, an estimate would be a guess. */
const farthest = 50;

/** Whether both belong to the same round of work: another total, or fewer done, is another round. */
const isSameRound = (earlier: SeenProgress, later: SeenProgress): boolean =>
  earlier.total === later.total && earlier.unit === later.unit && earlier.done <= later.done;

/** Adds an observation to those of the same round, of which the latest are kept. An older one changes nothing. */
export function withObservation(known: readonly ProgressAt[], seen: ProgressAt): readonly ProgressAt[] {
  const last = known.at(-1);
  if (last === undefined || !isSameRound(last, seen)) return [seen];
  if (seen.atMs <= last.atMs) return known;
  const recent = known.filter(({ atMs }) => seen.atMs - atMs <= windowMs);
  return [...recent, seen].slice(-most);
}

/**
 * Returns in how many milliseconds after the last observation the work will be done if it goes on as it did; `undefined` if the
 * total is not known, or there is too little evidence.
 */
export function expectedRestMs(observations: readonly ProgressAt[]): number | undefined {
  const [first, last] = [observations[0], observations.at(-1)];
  if (!first || !last || last.total === null) return undefined;
  if (last.done >= last.total) return 0;
  const spanMs = last.atMs - first.atMs;
  const done = last.done - first.done;
  if (observations.length < least.observations || spanMs < least.spanMs || done < least.done) return undefined;
  const restMs = ((last.total - last.done) / done) * spanMs;
  return restMs > farthest * spanMs ? undefined : restMs;
}

/** Returns `14 of 40 requests`, or `14 requests, of how many is not known`. */
export const progressWords = ({ done, total, unit }: SeenProgress): string =>
  total === null
    ? `${grouped(done)} ${unit}, of how many is not known`
    : `${grouped(done)} of ${grouped(total)} ${unit}`;

/** Returns `about 4 min left`; `undefined` if it can't be said. `nowMs`: of the clock that dates the run. */
export function restWords({ expectedEnd }: Pick<JobProgress, 'expectedEnd'>, nowMs: number): string | undefined {
  if (expectedEnd === null) return undefined;
  const seconds = (Date.parse(expectedEnd) - nowMs) / 1_000;
  if (seconds < -60) return undefined;
  if (seconds < 10) return 'nearly done';
  if (seconds < 90) return `about ${Math.round(seconds / 10) * 10} s left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `about ${minutes} min left`;
  const hours = seconds / 3_600;
  return hours < 36 ? `about ${hours.toFixed(hours < 10 ? 1 : 0)} h left` : `about ${Math.round(hours / 24)} days left`;
}

/** Returns both, for one line. */
export function progressLine(progress: JobProgress, nowMs: number): string {
  const rest = restWords(progress, nowMs);
  return `${progressWords(progress)}${rest === undefined ? '' : `, ${rest}`}`;
}

/** Whether a value from outside is progress. */
export function isJobProgress(value: unknown): value is JobProgress {
  const { done, total, unit, at, expectedEnd } = (value ?? {}) as Partial<Record<keyof JobProgress, unknown>>;
  return (
    typeof done === 'number' &&
    (total === null || typeof total === 'number') &&
    ['requests', 'samples', 'steps'].includes(String(unit)) &&
    typeof at === 'string' &&
    (expectedEnd === null || typeof expectedEnd === 'string')
  );
}

/** Whole numbers with separators, without a locale: the workflow sandbox must give the same everywhere. */
const grouped = (number: number): string => String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ',');
