import { metricKey } from './evidence/evidence';
import type { PooledComparison } from './comparison';
import type { MeasuredScore } from './compare-score';
import { normalQuantile, normalTwoSided } from './statistics/distributions';
import { sumOf } from './statistics/mean-difference';
import { exactMcNemar } from './statistics/paired-tests';
import { detectableDifference } from './statistics/power';

/** Whether anything changed over all tasks together, which sees less than one task alone can. Pure. */

export type MeasuredPool = Omit<PooledComparison, 'pAdjusted' | 'change'>;

/** One task's part of the pool. Better is positive. */
export interface Stratum {
  readonly name: string;
  readonly n: number;
  readonly weight: number;
  readonly delta: number;
  readonly stderr: number;
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
  /** By samples that are right or wrong and independent of each other. */
  readonly isCounted: boolean;
}

/**
 * Returns what a task adds to the pool: its first score of which the paired samples lie between 0 and 1, since sums of BLEU points
 * and right answers would mean nothing.
 */
export function stratumOf(task: string, scores: readonly MeasuredScore[]): Stratum | undefined {
  const first = scores.find((score) => score.level === 'overall' && isPoolable(score));
  return first && { name: `${task} ${metricKey(first)}`, ...numbersOf(first) };
}

/** Pools tasks; `null`: there are fewer than two. */
export function poolTasks(pooled: readonly Stratum[], alpha: number): MeasuredPool | null {
  if (pooled.length < 2) return null;
  const weight = total(pooled, (one) => one.weight);
  const delta = total(pooled, (one) => one.weight * one.delta) / weight;
  const stderr = Math.sqrt(total(pooled, (one) => (one.weight * one.stderr) ** 2)) / weight;
  const byTask = total(pooled, (one) => one.delta) / pooled.length;
  const byTaskError = Math.sqrt(total(pooled, (one) => one.stderr ** 2)) / pooled.length;
  const wins = total(pooled, (one) => one.wins);
  const losses = total(pooled, (one) => one.losses);
  const isBinary = pooled.every((one) => one.isCounted);
  return {
    scores: pooled.map(({ name }) => name),
    n: total(pooled, (one) => one.n),
    delta,
    stderr,
    interval: around(delta, stderr, alpha),
    test: isBinary ? 'mcnemar' : 'z',
    p: isBinary ? exactMcNemar({ up: wins, down: losses }).p : stderr === 0 ? 1 : normalTwoSided(delta / stderr),
    wins,
    losses,
    ties: total(pooled, (one) => one.ties),
    detectable: detectableDifference(stderr, alpha),
    byTask: { delta: byTask, interval: around(byTask, byTaskError, alpha) },
  };
}

function isPoolable({ method, stderr, samples }: MeasuredScore): boolean {
  if (method !== 'paired' || stderr === null || !samples) return false;
  const { parts } = samples.differences;
  const isShare = (values: Float64Array): boolean =>
    values.every((value, at) => value >= 0 && value <= (parts?.[at] ?? 1));
  return isShare(samples.base) && isShare(samples.candidate);
}

function numbersOf({
  better,
  delta,
  stderr,
  n,
  wins,
  losses,
  ties,
  test,
  samples,
}: MeasuredScore): Omit<Stratum, 'name'> {
  const parts = samples?.differences.parts;
  return {
    n: n ?? 0,
    weight: parts ? sumOf(parts) : (n ?? 0),
    delta: (better === 'higher' ? 1 : -1) * (delta ?? 0),
    stderr: stderr ?? 0,
    wins: wins ?? 0,
    losses: losses ?? 0,
    ties: ties ?? 0,
    isCounted: test === 'mcnemar',
  };
}

function total<T>(of: readonly T[], count: (one: T) => number): number {
  return of.reduce((sum, one) => sum + count(one), 0);
}

function around(delta: number, stderr: number, alpha: number): readonly [low: number, high: number] {
  const reach = normalQuantile(1 - alpha / 2) * stderr;
  return [delta - reach, delta + reach];
}
