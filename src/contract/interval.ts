import type { Metric } from './metric';

/** Two-sided 95 % of a normal distribution. */
const z95 = 1.959964;

/** Returns the 95 % interval of a score, from its standard error; `undefined` if either is not a number. Pure. */
export function intervalOf({
  value,
  stderr,
}: Pick<Metric, 'value' | 'stderr'>): { readonly low: number; readonly high: number } | undefined {
  if (typeof value !== 'number' || typeof stderr !== 'number') return undefined;
  return { low: value - z95 * stderr, high: value + z95 * stderr };
}
