import type { Comparison, ScoreComparison, TaskComparison } from '../comparison';
import { refusalOf } from '../comparability';
import { missingText } from './missing';
import { damageInterval, damageOf } from '../judge';
import { bare } from '../match-tasks';
import { confidenceOf } from '../options';
import { confidenceText } from '../render/texts';
import { metricKey } from '../evidence/evidence';
import { policyOf, requiredBenchmarks, type BenchmarkPolicy, type GatePolicy } from './policy';

/** Applies a policy to a comparison, by the rules of NVIDIA's `nel gate` 0.3. Pure. */

export const gateVersion = 1;

export type GateVerdict = 'GO' | 'NO-GO' | 'INCONCLUSIVE';

export interface GateReport {
  readonly version: typeof gateVersion;
  readonly verdict: GateVerdict;
  readonly reasons: readonly string[];
  /** Of the intervals that benchmarks are judged by: 1 − `alpha`. */
  readonly confidence: number;
  readonly benchmarks: readonly GatedBenchmark[];
  readonly warnings: readonly string[];
  /** The numbers behind it. */
  readonly comparison: Comparison;
}

export interface GatedBenchmark {
  readonly benchmark: string;
  readonly tier: BenchmarkPolicy['tier'];
  readonly status: 'PASS' | 'BREACH' | 'INSUFFICIENT_EVIDENCE' | 'MISSING';
  /** The score that was judged. */
  readonly metric: string | null;
  readonly maxDrop: number;
  readonly maxRelativeDrop: number | null;
  readonly base: number | null;
  readonly candidate: number | null;
  readonly delta: number | null;
  readonly interval: readonly [low: number, high: number] | null;
  readonly n: number | null;
  readonly reasons: readonly string[];
}

/** Pairs; as `nel`. */
const fewestPairs = 10;

export function applyPolicy(comparison: Comparison, policy: GatePolicy): GateReport {
  const confidence = confidenceOf(comparison.options);
  const required = requiredBenchmarks(policy);
  const named = Object.keys(policy.benchmarks);
  const warnings: string[] = [];
  const found = comparison.tasks.map((task) => ({ task, name: policyName(task.name, named) }));
  const missing = required
    .filter((name) => !found.some((one) => one.name === name))
    .map((name) => missingBenchmark(name, policyOf(policy, name), comparison));
  const judged = found.map(({ task, name }) => {
    const own = policyOf(policy, name);
    return judge(task, { name, policy: own, confidence, warnings });
  });
  const benchmarks = [...missing, ...judged];
  for (const name of comparison.onlyInBase) warnings.push(`${name} is only in the base`);
  for (const name of comparison.onlyInCandidate) warnings.push(`${name} is only in the candidate`);
  return { version: gateVersion, ...verdictOf(benchmarks), confidence, benchmarks, warnings, comparison };
}

/** A policy may name a task with or without its harness. */
function policyName(task: string, named: readonly string[]): string {
  if (named.includes(task)) return task;
  const same = named.filter((name) => bare(name) === bare(task));
  return same.length === 1 ? (same[0] ?? task) : task;
}

function missingBenchmark(name: string, policy: BenchmarkPolicy, comparison: Comparison): GatedBenchmark {
  return { ...unjudged(name, policy), status: 'MISSING', reasons: [missingText(name, comparison)] };
}

const unjudged = (
  benchmark: string,
  { tier, maxDrop, maxRelativeDrop, metric }: BenchmarkPolicy,
): Omit<GatedBenchmark, 'status' | 'reasons'> => ({
  benchmark,
  tier,
  metric,
  maxDrop,
  maxRelativeDrop,
  base: null,
  candidate: null,
  delta: null,
  interval: null,
  n: null,
});

interface Judging {
  readonly name: string;
  readonly policy: BenchmarkPolicy;
  readonly confidence: number;
  readonly warnings: string[];
}

function judge(task: TaskComparison, { name, policy, confidence, warnings }: Judging): GatedBenchmark {
  const score = scoreFor(task, policy.metric);
  if (!score) {
    const reason =
      policy.metric === null ? 'it has no scores' : `no score ${policy.metric}; there are: ${namesIn(task)}`;
    return { ...unjudged(name, policy), ...asFarAsWhole(insufficient(reason), task) };
  }
  if (policy.metric === null || !isNamed(score, policy.metric))
    warnings.push(`${name}: judged by ${metricKey(score)}, the first of: ${namesIn(task)}`);
  if (policy.better !== null && policy.better !== score.better && !score.betterGuessed)
    warnings.push(`${name}: the policy says that ${policy.better} is better, the harness that ${score.better} is`);
  const oriented = { ...score, better: policy.better ?? score.better };
  const evidence = { ...unjudged(name, policy), ...numbersOf(score) };
  const refusal = refusalOf(task.differences);
  if (refusal !== null) return { ...evidence, ...insufficient(refusal) };
  return { ...evidence, ...asFarAsWhole(byNumbers(oriented, policy, confidence), task) };
}

type Finding = Pick<GatedBenchmark, 'status' | 'reasons'>;

const insufficient = (reason: string): Finding => ({ status: 'INSUFFICIENT_EVIDENCE', reasons: [reason] });

/** Where samples are missing, a breach shows all the same, but nothing else does. */
function asFarAsWhole({ status, reasons }: Finding, { incomplete }: TaskComparison): Finding {
  if (incomplete === null) return { status, reasons };
  if (status === 'BREACH') return { status, reasons: [...reasons, incomplete] };
  return { status: 'INSUFFICIENT_EVIDENCE', reasons: [incomplete, ...reasons] };
}

function byNumbers(score: ScoreComparison, policy: BenchmarkPolicy, confidence: number): Finding {
  const relative = relativeBreach(score, policy);
  if (relative !== undefined) return { status: 'BREACH', reasons: [relative] };
  if (score.method === 'paired' && (score.n ?? 0) < fewestPairs)
    return insufficient(`only ${score.n} samples in common (at least ${fewestPairs})`);
  return byInterval(score, policy, confidence);
}

/** `nel`'s own names stand for the benchmark's score, whatever the harness calls it. */
const generalNames = new Set(['mean_reward', 'pass@1']);

const overallScores = ({ scores }: TaskComparison): readonly ScoreComparison[] =>
  scores.filter(({ level }) => level === 'overall');

const isNamed = (score: ScoreComparison, metric: string): boolean =>
  score.metric === metric || metricKey(score) === metric;

function scoreFor(task: TaskComparison, metric: string | null): ScoreComparison | undefined {
  const all = metric === null ? overallScores(task) : task.scores;
  const own = metric === null ? undefined : all.find((score) => isNamed(score, metric) && score.path.length === 1);
  if (own || (metric !== null && !generalNames.has(metric)))
    return own ?? task.scores.find((score) => isNamed(score, metric ?? ''));
  return overallScores(task)[0];
}

const namesIn = (task: TaskComparison): string => overallScores(task).map(metricKey).join(', ') || 'none';

/** The scores of the pairs where there are any, as they are what the difference is of. */
function numbersOf(
  score: ScoreComparison,
): Pick<GatedBenchmark, 'metric' | 'base' | 'candidate' | 'delta' | 'interval' | 'n'> {
  const { base, candidate, delta, interval, n } = score;
  return { metric: metricKey(score), base: base.value, candidate: candidate.value, delta, interval, n };
}

function relativeBreach(
  score: ScoreComparison,
  { maxRelativeDrop, relativeGuardBelow }: BenchmarkPolicy,
): string | undefined {
  const damage = damageOf(score);
  const base = score.base.value;
  if (maxRelativeDrop === null || damage === null || damage <= 0 || base === null || base === 0) return undefined;
  if (relativeGuardBelow !== null && base >= relativeGuardBelow) return undefined;
  const relative = damage / Math.abs(base);
  if (relative <= maxRelativeDrop) return undefined;
  return `it dropped by ${percent(relative)} of the base, more than ${percent(maxRelativeDrop)}`;
}

function byInterval(score: ScoreComparison, { maxDrop, tier }: BenchmarkPolicy, confidence: number): Finding {
  const damage = damageOf(score);
  const interval = damageInterval(score);
  if (damage === null) return insufficient(score.notes[0] ?? 'no difference is known');
  const limit = `at most ${round(maxDrop)} is allowed`;
  if (interval === null) {
    if (tier !== 'advisory') return insufficient('no interval is known, only the difference');
    const text = `a drop of ${round(damage)} without an interval; ${limit}`;
    return { status: damage > maxDrop ? 'BREACH' : 'PASS', reasons: [text] };
  }
  const text = `the drop lies between ${round(interval[0])} and ${round(interval[1])} (${confidenceText(confidence)}); ${limit}`;
  if (interval[0] > maxDrop) return { status: 'BREACH', reasons: [text] };
  if (interval[1] <= maxDrop) return { status: 'PASS', reasons: [text] };
  return insufficient(`${text}: more samples or repeats are needed`);
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const round = (value: number): string => String(Number(value.toFixed(4)));

/** Advisory benchmarks never change the verdict. */
function verdictOf(benchmarks: readonly GatedBenchmark[]): Pick<GateReport, 'verdict' | 'reasons'> {
  const gated = benchmarks.filter(({ tier }) => tier !== 'advisory');
  const named = (status: GatedBenchmark['status']): string[] => {
    const own = gated.filter((one) => one.status === status).map(({ benchmark, tier }) => `${benchmark} (${tier})`);
    return own.length === 0 ? [] : [`${status}: ${own.join(', ')}`];
  };
  const against = [...named('BREACH'), ...named('MISSING')];
  if (against.length > 0) return { verdict: 'NO-GO', reasons: [...against, ...named('INSUFFICIENT_EVIDENCE')] };
  const unsure = named('INSUFFICIENT_EVIDENCE');
  if (unsure.length > 0) return { verdict: 'INCONCLUSIVE', reasons: unsure };
  if (benchmarks.length === 0) return { verdict: 'INCONCLUSIVE', reasons: ['there is nothing to judge'] };
  if (gated.length === 0) return { verdict: 'GO', reasons: ['all benchmarks are advisory'] };
  return { verdict: 'GO', reasons: [`all ${gated.length} benchmarks passed`] };
}
