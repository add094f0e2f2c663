import { tQuantile } from './distributions';

/** Mean of paired differences with its standard error. Pure. */

export interface Differences {
  /** Candidate less base, by sample. */
  readonly values: Float64Array;
  /** Numbers that each value is the sum of, such as one per instruction; `null`: one each. */
  readonly parts: Float64Array | null;
  /** What samples belong together, such as questions on one passage: numbers from 0 to below `count`; `null`: nothing does. */
  readonly clusters: { readonly of: Uint32Array; readonly count: number } | null;
}

export interface MeanDifference {
  readonly mean: number;
  /** `null`: fewer than two samples, or clusters. */
  readonly stderr: number | null;
  /** Of Student's t: samples, or clusters, less one. */
  readonly degrees: number;
}

/**
 * Returns the mean difference and its standard error √(G/(G−1)·Σ_g(Σ_i∈g(d−mean))²)/n. Without clusters each sample is its own
 * group, which is √(Σ(d−mean)²/(n(n−1))).
 */
export function meanDifference({ values, parts, clusters }: Differences): MeanDifference {
  const total = parts === null ? values.length : sumOf(parts);
  const mean = total === 0 ? 0 : sumOf(values) / total;
  const sums = new Float64Array(clusters?.count ?? values.length);
  for (const [at, value] of values.entries()) {
    const group = clusters?.of[at] ?? at;
    sums[group] = (sums[group] ?? 0) + value - (parts?.[at] ?? 1) * mean;
  }
  const groups = sums.length;
  const squares = sumOf(sums.map((sum) => sum ** 2));
  return {
    mean,
    stderr: groups < 2 ? null : Math.sqrt((groups / (groups - 1)) * squares) / total,
    degrees: groups - 1,
  };
}

/** Returns the interval that holds the true mean with this confidence, e.g. 0.95. */
export function intervalOf(
  { mean, stderr, degrees }: MeanDifference,
  confidence: number,
): readonly [low: number, high: number] | null {
  if (stderr === null) return null;
  const reach = tQuantile(1 - (1 - confidence) / 2, degrees) * stderr;
  return [mean - reach, mean + reach];
}

/** Kahan's summation: 100,000 small numbers must not add up to their rounding errors. */
export function sumOf(values: Float64Array): number {
  let sum = 0;
  let lost = 0;
  for (const value of values) {
    const next = value - lost;
    const total = sum + next;
    lost = total - sum - next;
    sum = total;
  }
  return sum;
}
