import {
  comparisonVersion,
  type Comparison,
  type PooledComparison,
  type SideDocument,
  type TaskComparison,
} from './comparison';
import { measureTask, type MeasuredTask } from './compare-task';
import { metricKey, type Evidence, type ScoreEvidence } from './evidence/evidence';
import { openEvidence } from './evidence/open-evidence';
import type { RunFolder } from './evidence/read-run';
import { UsageFault } from '../support/usage-fault';
import { changeOf, judgeScore, overall } from './judge';
import { matchTasks } from './match-tasks';
import { settled, type CompareOptions, type Settled } from './options';
import { poolTasks } from './pooled';
import { holmAdjusted } from './statistics/holm';

/** Where one side's results are. */
export type ResultsPlace = Omit<RunFolder, 'label'> & { readonly label?: string };

/**
 * Compares two results: folders of evalsaga (of a run, or of one task), lm-evaluation-harness or `nel`. Whether they are
 * comparable, then each score, paired by sample where samples are logged; see docs/comparing.md. Throws `UsageFault` for folders
 * that hold no results, or no task in common; rejects with `UnreadableFile` for a damaged `run.json`.
 */
export async function compareRuns(
  { base, candidate }: { readonly base: ResultsPlace; readonly candidate: ResultsPlace },
  options: CompareOptions = {},
): Promise<Comparison> {
  return compareEvidence(await opened(base), await opened(candidate), options);
}

const opened = (place: ResultsPlace): Promise<Evidence> => openEvidence({ label: place.folder, ...place });

export async function compareEvidence(base: Evidence, candidate: Evidence, given: CompareOptions): Promise<Comparison> {
  const options = settled(given);
  const { pairs, onlyInBase, onlyInCandidate } = matchTasks(base, candidate);
  const measured: MeasuredTask[] = [];
  // One after the other: only one task's samples are in memory.
  for (const pair of pairs) measured.push(await measureTask(pair.base, pair.candidate, options));
  checkMetrics(
    measured,
    options,
    pairs.flatMap((pair) => [...pair.base.scores, ...pair.candidate.scores]),
  );
  const { tasks, pooled } = judged(measured, options);
  const missing = onlyInBase.map((name) => `${name} is missing in the candidate`);
  const verdicts = [...tasks.map(({ verdict }) => verdict), ...missing.map(() => "can't tell" as const)];
  const verdict = overall(pooled?.change === 'worse' ? [...verdicts, 'regression'] : verdicts);
  return {
    version: comparisonVersion,
    verdict,
    reasons: [...reasonsOf(tasks, pooled), ...missing, ...(pairs.length === 0 ? ['no task in common'] : [])],
    base: sideOf(base),
    candidate: sideOf(candidate),
    options,
    tasks,
    pooled,
    onlyInBase,
    onlyInCandidate,
  };
}

function checkMetrics(measured: readonly MeasuredTask[], { metrics }: Settled, scores: readonly ScoreEvidence[]): void {
  if (metrics.length === 0 || measured.some((task) => task.scores.length > 0)) return;
  const known = [...new Set(scores.map(metricKey))].join(', ');
  throw new UsageFault(`No score is called ${metrics.join(' or ')}. There are: ${known === '' ? 'none' : known}.`);
}

const sideOf = ({ label, kind, folder, model, invocation, usage, notes }: Evidence): SideDocument => ({
  label,
  kind,
  folder,
  model,
  invocation,
  usage,
  notes,
});

/** Holm's correction takes in all scores that count for the verdict, and the pooled one. */
function judged(
  measured: readonly MeasuredTask[],
  options: Settled,
): { readonly tasks: readonly TaskComparison[]; readonly pooled: PooledComparison | null } {
  const pool = poolTasks(
    measured.flatMap(({ stratum, circumstances }) => (stratum && circumstances.refusal === null ? stratum : [])),
    options.alpha,
  );
  const counted = measured.flatMap(({ scores }) => scores.filter(({ level }) => level === 'overall'));
  const adjusted = holmAdjusted([...counted.map(({ p }) => p), pool?.p ?? null]);
  const byScore = new Map(counted.map((score, at) => [score, adjusted[at] ?? null]));
  const pAdjusted = adjusted.at(-1) ?? null;
  const better = 'higher';
  return {
    tasks: measured.map((task) => taskOf(task, byScore, options)),
    pooled: pool && { ...pool, pAdjusted, change: changeOf({ delta: pool.delta, better }, pAdjusted, options.alpha) },
  };
}

type Scored = MeasuredTask['scores'][number];

function taskOf(task: MeasuredTask, byScore: ReadonlyMap<Scored, number | null>, options: Settled): TaskComparison {
  const parts = task.scores.filter(({ level }) => level === 'part');
  const ofParts = holmAdjusted(parts.map(({ p }) => p));
  const scores = task.scores.map((score) => {
    if (score.level === 'part') {
      const pAdjusted = ofParts[parts.indexOf(score)] ?? null;
      return { ...score, pAdjusted, change: changeOf(score, pAdjusted, options.alpha), verdict: null };
    }
    const pAdjusted = byScore.get(score) ?? null;
    const { verdict, change, reason } = judgeScore(score, pAdjusted, task.circumstances, options);
    const notes = reason === null || score.notes.includes(reason) ? score.notes : [...score.notes, reason];
    return { ...score, pAdjusted, change, verdict, notes };
  });
  return {
    name: task.name,
    verdict: overall(scores.flatMap(({ verdict }) => verdict ?? [])),
    differences: task.differences,
    incomplete: task.circumstances.incomplete,
    scores,
    samples: task.samples,
    usage: { base: task.base.usage, candidate: task.candidate.usage },
    notes: task.notes,
  };
}

function reasonsOf(tasks: readonly TaskComparison[], pooled: PooledComparison | null): string[] {
  const ofScores = tasks.flatMap(({ name, scores }) =>
    scores.flatMap(({ verdict, metric, filter, notes }) => {
      const score = `${name} ${metric}${filter === null ? '' : ` (${filter})`}`;
      if (verdict === 'regression') return [`${score} is worse`];
      return verdict === "can't tell" ? [`${score}: ${notes.at(-1) ?? 'no numbers'}`] : [];
    }),
  );
  const empty = tasks.filter(({ scores }) => scores.length === 0).map(({ name }) => `${name} has no scores`);
  return [...ofScores, ...(pooled?.change === 'worse' ? ['all tasks together are worse'] : []), ...empty];
}
