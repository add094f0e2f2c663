import { withoutHarness } from '../contract/task-name';
import type { Evidence, TaskEvidence } from './evidence/evidence';

/** Which task of the base is the same as which of the candidate. Pure. */

export interface MatchedTasks {
  readonly pairs: readonly { readonly base: TaskEvidence; readonly candidate: TaskEvidence }[];
  readonly onlyInBase: readonly string[];
  readonly onlyInCandidate: readonly string[];
}

/**
 * Matches by name; tasks of one name in their order. Names with and without the harness in front of them are the same if only one
 * of each is left.
 */
export function matchTasks(base: Pick<Evidence, 'tasks'>, candidate: Pick<Evidence, 'tasks'>): MatchedTasks {
  const pairs: { base: TaskEvidence; candidate: TaskEvidence }[] = [];
  const left = new Set(candidate.tasks);
  const unmatched: TaskEvidence[] = [];
  for (const task of base.tasks) {
    const same = [...left].find(({ name }) => name === task.name);
    if (same) {
      pairs.push({ base: task, candidate: same });
      left.delete(same);
    } else unmatched.push(task);
  }
  const onlyInBase = unmatched.filter((task) => {
    const same = [...left].filter(({ name }) => bare(name) === bare(task.name));
    const rivals = unmatched.filter(({ name }) => bare(name) === bare(task.name));
    const [only] = same;
    if (!only || same.length > 1 || rivals.length > 1) return true;
    pairs.push({ base: task, candidate: only });
    left.delete(only);
    return false;
  });
  const order = new Map(base.tasks.map((task, at) => [task, at]));
  pairs.sort((one, other) => (order.get(one.base) ?? 0) - (order.get(other.base) ?? 0));
  return { pairs, onlyInBase: onlyInBase.map(({ name }) => name), onlyInCandidate: [...left].map(({ name }) => name) };
}

/** The task's name without its harness. */
export const bare = withoutHarness;
