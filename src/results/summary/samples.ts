import type { Evidence } from '../validity/evidence';

/** How many samples of a task were evaluated. Numbers are `null` where the harness doesn't say. */
export interface Samples {
  /** Samples with an answer. */
  readonly done: number | null;
  /** Samples that were to be evaluated: all, or as many as `limit_samples` says. */
  readonly asked: number | null;
  /** Samples of the data sets. */
  readonly of: number | null;
  /** How often each is asked. */
  readonly repeats: number | null;
}

/** Returns `null` if nothing is known. Pure. */
export function samplesOf({
  harness,
  samples,
  asked,
}: Pick<Evidence, 'harness' | 'samples' | 'asked'>): Samples | null {
  const counted = (harness?.tasks ?? []).flatMap(({ name, samples: count }) => (count ? [{ name, ...count }] : []));
  const repeats = Math.max(asked.repeats ?? 1, ...(harness?.tasks ?? []).map((task) => task.repeats ?? 1));
  const known = asked.repeats !== undefined || (harness?.tasks ?? []).some((task) => task.repeats !== null);
  if (counted.length === 0) return known ? { done: null, asked: null, of: null, repeats } : null;
  const toDo = sum(counted.map(({ effective }) => effective));
  const isCounted = counted.every(({ name }) => samples.samples.has(name));
  return {
    done: isCounted ? sum(counted.map(({ name }) => samples.samples.get(name) ?? 0)) : toDo,
    asked: toDo,
    of: sum(counted.map(({ original }) => original)),
    repeats: known ? repeats : null,
  };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
