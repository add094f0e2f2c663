import type { ReportedScore, ScoreComparison } from './comparison';
import type { Direction, ScoreEvidence } from './evidence/evidence';
import type { Settled } from './options';
import type { PairedSamples } from './pairing/read-pairs';
import { samplesOf, type ScoreSamples } from './score-samples';
import { normalQuantile, normalTwoSided, normalBelow, tBelow, tTwoSided } from './statistics/distributions';
import { intervalOf, meanDifference, type MeanDifference } from './statistics/mean-difference';
import { exactMcNemar, signFlipTest, type TestResult } from './statistics/paired-tests';
import { detectableDifference, unseenShare } from './statistics/power';

/** One score on both sides, before it is judged among the others: without `pAdjusted`, `change` and `verdict`. Pure. */
export interface MeasuredScore extends Omit<ScoreComparison, 'pAdjusted' | 'change' | 'verdict' | 'flips'> {
  /** For flips and for the pooled comparison. */
  readonly samples: ScoreSamples | undefined;
}

export interface BothScores {
  readonly base: ScoreEvidence | undefined;
  readonly candidate: ScoreEvidence | undefined;
}

export function measureScore(
  { base, candidate }: BothScores,
  samples: readonly PairedSamples[],
  options: Settled,
): MeasuredScore {
  const score = base ?? candidate;
  if (!score) throw new Error('a score of neither side');
  const about = {
    path: score.path,
    level: score.level,
    metric: score.metric,
    filter: score.filter,
    ...directionOf({ base, candidate }, options),
    base: reported(base),
    candidate: reported(candidate),
  };
  if (!base || !candidate) return { ...about, ...nothing(`missing in the ${base ? 'candidate' : 'base'}`) };
  const wanted = { score, base: base.value, candidate: candidate.value, cluster: options.cluster };
  const own = samplesOf(wanted, samples);
  const measured = 'reason' in own ? unpaired({ base, candidate }, own.reason, options) : paired(own, options);
  return { ...about, ...inDirection(measured, about.better) };
}

const reported = (score: ScoreEvidence | undefined): ReportedScore => ({
  value: score?.value ?? null,
  stderr: score?.stderr ?? null,
  count: score?.count ?? null,
});

/** Names of metrics of which less is better. */
const lowerNames = /perplexity|(^|_)(ppl|loss|error|err|brier|wer|cer|ter|nll|bits_per_byte)($|_)|latency|toxicity/i;

function directionOf(
  { base, candidate }: BothScores,
  { lowerIsBetter }: Settled,
): { readonly better: Direction; readonly betterGuessed: boolean } {
  const metric = base?.metric ?? candidate?.metric ?? '';
  if (lowerIsBetter.includes(metric)) return { better: 'lower', betterGuessed: false };
  const said = base?.better ?? candidate?.better;
  if (said) return { better: said, betterGuessed: false };
  return { better: lowerNames.test(metric) ? 'lower' : 'higher', betterGuessed: true };
}

type AboutKeys = 'path' | 'level' | 'metric' | 'filter' | 'better' | 'betterGuessed' | 'base' | 'candidate';

/** As measured, before better and worse are told apart: `low` and `high` are one-sided. */
interface Measured extends Omit<MeasuredScore, AboutKeys | 'pWorse' | 'wins' | 'losses' | 'worst'> {
  readonly low: number | null;
  readonly high: number | null;
  readonly up: number | null;
  readonly down: number | null;
}

function paired(samples: ScoreSamples, { alpha, seed }: Settled): Measured {
  const { differences, clusteredBy } = samples;
  const { values, clusters } = differences;
  const mean = meanDifference(differences);
  const { test, result, notes } = testOf(samples, mean, seed);
  const up = values.reduce((count, value) => (value > 0 ? count + 1 : count), 0);
  const down = values.reduce((count, value) => (value < 0 ? count + 1 : count), 0);
  return {
    method: 'paired',
    test,
    n: values.length,
    delta: mean.mean,
    stderr: mean.stderr,
    interval: intervalOf(mean, 1 - alpha),
    p: result.p,
    low: result.low,
    high: result.high,
    up,
    down,
    ties: values.length - up - down,
    clusters: clusters && clusteredBy !== null ? { by: clusteredBy, count: clusters.count } : null,
    detectable: detectableDifference(mean.stderr, alpha),
    notes: [...samples.notes, ...notes, ...unseen(up + down, values.length, alpha)],
    samples,
  };
}

function testOf(
  { differences, isBinary }: ScoreSamples,
  { mean, stderr, degrees }: MeanDifference,
  seed: number,
): { readonly test: ScoreComparison['test']; readonly result: TestResult; readonly notes: readonly string[] } {
  const { values } = differences;
  if (differences.clusters && stderr !== null && stderr > 0) {
    const t = mean / stderr;
    const low = tBelow(t, degrees);
    return { test: 'clustered t', result: { p: tTwoSided(t, degrees), low, high: 1 - low }, notes: [] };
  }
  if (isBinary) {
    const up = values.reduce((count, value) => (value > 0 ? count + 1 : count), 0);
    const down = values.reduce((count, value) => (value < 0 ? count + 1 : count), 0);
    return { test: 'mcnemar', result: exactMcNemar({ up, down }), notes: [] };
  }
  return { test: 'sign-flip', result: signFlipTest(values, seed), notes: [] };
}

/** An interval of no width would claim more than was seen. */
function unseen(changed: number, n: number, alpha: number): string[] {
  if (changed > 0 || n === 0) return [];
  const share = unseenShare(n, 1 - alpha) * 100;
  return [`none of ${n} samples changed; up to ${share.toPrecision(2)} % of all could change unseen`];
}

function unpaired({ base, candidate }: Required<BothScores>, reason: string, { alpha }: Settled): Measured {
  if (!base || !candidate || base.value === null || candidate.value === null)
    return { ...nothing('a score was not computed'), up: null, down: null, low: null, high: null };
  const delta = candidate.value - base.value;
  const note = `unpaired, which sees less: ${reason}`;
  if (base.stderr === null || candidate.stderr === null) return onlyDifference(delta, `${note}; no standard errors`);
  const stderr = Math.hypot(base.stderr, candidate.stderr);
  if (stderr === 0 && delta !== 0) return onlyDifference(delta, `${note}; standard errors are 0`);
  const z = stderr === 0 ? 0 : delta / stderr;
  const reach = normalQuantile(1 - alpha / 2) * stderr;
  return {
    ...onlyDifference(delta, note),
    method: 'unpaired',
    test: 'z',
    stderr,
    interval: [delta - reach, delta + reach],
    p: normalTwoSided(z),
    low: normalBelow(z),
    high: normalBelow(-z),
    detectable: detectableDifference(stderr, alpha),
  };
}

const onlyDifference = (delta: number, note: string): Measured => ({
  ...nothing(note),
  method: 'difference only',
  delta,
  up: null,
  down: null,
  low: null,
  high: null,
});

const nothing = (note: string) =>
  ({
    method: 'none',
    test: null,
    n: null,
    delta: null,
    stderr: null,
    interval: null,
    p: null,
    pWorse: null,
    wins: null,
    losses: null,
    ties: null,
    clusters: null,
    detectable: null,
    notes: [note],
    worst: [],
    samples: undefined,
  }) as const;

const shownParts = 5;

function inDirection(
  { low, high, up, down, ...measured }: Measured,
  better: Direction,
): Omit<MeasuredScore, AboutKeys> {
  const [wins, losses, pWorse] = better === 'higher' ? [up, down, low] : [down, up, high];
  const worsening = (delta: number): number => (better === 'higher' ? -delta : delta);
  const worst = (measured.samples?.parts ?? [])
    .filter(({ delta }) => worsening(delta) > 0)
    .sort((one, other) => worsening(other.delta) * other.n - worsening(one.delta) * one.n)
    .slice(0, shownParts);
  return { ...measured, wins, losses, pWorse, worst };
}
