import type { ScoreComparison, Verdict } from './comparison';
import type { MeasuredScore } from './compare-score';
import type { Settled } from './options';

/** What the numbers mean: which scores changed, and whether for the worse. Pure. */

/** Pairs; fewer say nothing either way. */
const fewestPairs = 10;

export interface Circumstances {
  /** Why the sides are not comparable; `null`: they are. */
  readonly refusal: string | null;
  /** Why too much is missing for a verdict, unless a regression shows all the same; `null`: it isn't, or that is accepted. */
  readonly incomplete: string | null;
}

export interface Judged {
  readonly verdict: Verdict;
  /** Why, for all but "no regression" without anything to add. */
  readonly reason: string | null;
  readonly change: ScoreComparison['change'];
}

/** Returns how much worse the candidate is; negative: better. */
export const damageOf = ({ delta, better }: Pick<ScoreComparison, 'delta' | 'better'>): number | null =>
  delta === null ? null : better === 'higher' ? -delta : delta;

/** Returns the interval of the damage. */
export const damageInterval = ({
  interval,
  better,
}: Pick<ScoreComparison, 'interval' | 'better'>): readonly [low: number, high: number] | null =>
  interval === null ? null : better === 'higher' ? [0 - interval[1], 0 - interval[0]] : interval;

/** Returns which way a score changed, if by more than chance. */
export function changeOf(
  score: Pick<ScoreComparison, 'delta' | 'better'>,
  pAdjusted: number | null,
  alpha: number,
): ScoreComparison['change'] {
  const damage = damageOf(score);
  if (damage === null || pAdjusted === null) return 'unknown';
  if (pAdjusted >= alpha || damage === 0) return 'not significant';
  return damage > 0 ? 'worse' : 'better';
}

/** Judges a score that counts for the verdict. */
export function judgeScore(
  score: Omit<MeasuredScore, 'samples'>,
  pAdjusted: number | null,
  { refusal, incomplete }: Circumstances,
  { alpha, maxDrop }: Settled,
): Judged {
  const change = changeOf(score, pAdjusted, alpha);
  const is = (verdict: Verdict, reason: string | null): Judged => ({ verdict, reason, change });
  const damage = damageOf(score);
  const interval = damageInterval(score);
  if (score.method === 'none') return is("can't tell", score.notes[0] ?? null);
  if (refusal !== null) return is("can't tell", refusal);
  if (damage === null || interval === null || pAdjusted === null)
    return is(
      "can't tell",
      score.method === 'paired' ? 'fewer than two samples or clusters' : (score.notes[0] ?? null),
    );
  if (score.method === 'paired' && (score.n ?? 0) < fewestPairs)
    return is("can't tell", `${score.n} samples in common are too few (at least ${fewestPairs})`);
  const threshold = maxDrop ?? 0;
  if (change === 'worse' && damage >= threshold) return is('regression', null);
  if (threshold > 0 && interval[0] > threshold) return is('regression', null);
  if (incomplete !== null) return is("can't tell", incomplete);
  if (maxDrop === undefined || interval[1] <= maxDrop) return is('no regression', null);
  return is("can't tell", `it may be worse by more than ${maxDrop}: more samples are needed`);
}

/** A regression outweighs not being able to tell, which outweighs none. */
export function overall(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.includes('regression')) return 'regression';
  return verdicts.length === 0 || verdicts.includes("can't tell") ? "can't tell" : 'no regression';
}
