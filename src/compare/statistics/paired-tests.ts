import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { headsAtMost } from './distributions';

/** Tests of whether paired scores differ. Pure: random numbers are seeded. */

/** The result of a test; `low` and `high` are its two one-sided halves. */
export interface TestResult {
  /** Probability of a difference at least as large, in either direction, if nothing has changed. */
  readonly p: number;
  /** Probability of a mean difference at least as low, if nothing has changed. */
  readonly low: number;
  /** … at least as high. */
  readonly high: number;
}

/**
 * McNemar's exact test for right/wrong: `down` samples were right before and are wrong now, `up` the reverse. If nothing has changed,
 * either is as likely for each sample that differs.
 */
export function exactMcNemar({ up, down }: { readonly up: number; readonly down: number }): TestResult {
  const low = headsAtMost(up, up + down);
  const high = headsAtMost(down, up + down);
  return { p: Math.min(1, 2 * Math.min(low, high)), low, high };
}

export interface SignFlips extends TestResult {
  readonly permutations: number;
  /** All permutations were counted, none was drawn. */
  readonly isExact: boolean;
}

/** Draws; more make p finer, not more often small. */
const draws = 10_000;
/** Of a test as a whole: fewer are drawn for more items than this allows, but not below `fewestDraws`. */
const mostFlips = 5e8;
const fewestDraws = 2_000;
/** Up to this many changed items all permutations are counted. */
const countedUpTo = 13;
/** Sums that differ by rounding only count as equal. */
const tolerance = 1e-12;

/**
 * Sign-flip permutation test: if nothing has changed, each difference could as well have had the other sign. Items without a
 * difference don't matter.
 */
export function signFlipTest(differences: Float64Array, seed: number): SignFlips {
  const changed = differences.filter((difference) => difference !== 0);
  const observed = changed.reduce((sum, difference) => sum + difference, 0);
  const slack = tolerance * changed.reduce((sum, difference) => sum + Math.abs(difference), 0);
  const isExact = changed.length <= countedUpTo;
  const sums = isExact ? allSums(changed) : drawnSums(changed, seed);
  const count = { extreme: 0, low: 0, high: 0, all: 0 };
  for (const sum of sums) {
    count.all += 1;
    if (Math.abs(sum) >= Math.abs(observed) - slack) count.extreme += 1;
    if (sum <= observed + slack) count.low += 1;
    if (sum >= observed - slack) count.high += 1;
  }
  // Of drawn permutations the observed one counts as one more.
  const own = isExact ? 0 : 1;
  const share = (found: number): number => (found + own) / (count.all + own);
  return {
    p: share(count.extreme),
    low: share(count.low),
    high: share(count.high),
    permutations: count.all,
    isExact,
  };
}

function* allSums(changed: Float64Array): Generator<number> {
  for (let signs = 0; signs < 2 ** changed.length; signs += 1)
    yield changed.reduce((sum, difference, at) => sum + ((signs >> at) & 1 ? -difference : difference), 0);
}

function* drawnSums(changed: Float64Array, seed: number): Generator<number> {
  const random = xoroshiro128plus(seed);
  const total = Math.max(fewestDraws, Math.min(draws, Math.floor(mostFlips / changed.length)));
  for (let drawn = 0; drawn < total; drawn += 1) {
    let sum = 0;
    let signs = 0;
    for (let at = 0; at < changed.length; at += 1) {
      if (at % 32 === 0) signs = random.next();
      const difference = changed[at] ?? 0;
      sum += signs & 1 ? -difference : difference;
      signs >>>= 1;
    }
    yield sum;
  }
}
