import type { HarnessSummary } from '../../results/samples/harness-summary';
import type { Direction, ScoreEvidence } from './evidence';

/** Scores in a summary of lm-evaluation-harness. Pure. */

/** Returns each task and group with its groups: outermost first, itself last. */
export function pathsIn({ results, group_subtasks: subtasks }: HarnessSummary): ReadonlyMap<string, readonly string[]> {
  const parents = new Map<string, string>();
  for (const [group, members] of Object.entries(subtasks))
    for (const member of members) if (!parents.has(member) && member !== group) parents.set(member, group);
  const pathOf = (name: string): readonly string[] => {
    const path = [name];
    for (let parent = parents.get(name); parent !== undefined && !path.includes(parent); parent = parents.get(parent))
      path.unshift(parent);
    return path;
  };
  return new Map([...new Set([...Object.keys(subtasks), ...Object.keys(results)])].map((name) => [name, pathOf(name)]));
}

/**
 * Returns the scores in the order of the file. A group that only names a set of tasks (a tag) has no score of its own: then the
 * tasks in it are scores as a whole.
 */
export function scoresIn(summary: HarnessSummary): ScoreEvidence[] {
  const paths = pathsIn(summary);
  const all = { ...summary.groups, ...summary.results };
  const scored = new Set(Object.entries(all).flatMap(([name, values]) => (hasScore(values) ? [name] : [])));
  return Object.entries(all).flatMap(([name, values]) => {
    const path = paths.get(name) ?? [name];
    const level = path.slice(0, -1).some((group) => scored.has(group)) ? 'part' : 'overall';
    return scoresOf(values, { path, level, name, summary });
  });
}

const scoreKey = /^(.+),([^,]+)$/;

const hasScore = (values: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(values).some(([key, value]) => scoreKey.test(key) && typeof value === 'number');

function scoresOf(
  values: Readonly<Record<string, unknown>>,
  place: Pick<ScoreEvidence, 'path' | 'level'> & { readonly name: string; readonly summary: HarnessSummary },
): ScoreEvidence[] {
  const { path, level, name, summary } = place;
  return Object.entries(values).flatMap(([key, value]): ScoreEvidence[] => {
    const [, metric = '', filter = ''] = scoreKey.exec(key) ?? [];
    if (metric === '' || metric.endsWith('_stderr')) return [];
    if (typeof value !== 'number' && value !== null && value !== 'NaN') return [];
    return [
      {
        path,
        level,
        metric,
        filter: filter === 'none' ? null : filter,
        value: finite(value),
        stderr: finite(values[`${metric}_stderr,${filter}`]),
        count: summary['n-samples'][name]?.effective ?? finite(values['sample_len']),
        better: directionOf(summary.higher_is_better[name]?.[metric]),
      },
    ];
  });
}

const finite = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);

const directionOf = (isHigher: unknown): Direction | null =>
  isHigher === true ? 'higher' : isHigher === false ? 'lower' : null;
