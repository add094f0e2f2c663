import type { TaskSnapshot } from '../../contract/state';
import { verdict } from './progress-lines';
import { harmlessLine } from '../../support/terminal-text';

/** What became of the tasks that did not succeed; said once for all tasks of which the same can be said. Pure. */
export function failureLines(tasks: readonly TaskSnapshot[]): string[] {
  const byVerdict = new Map<string, TaskSnapshot[]>();
  for (const task of tasks) {
    if (task.outcome === 'succeeded') continue;
    const said = verdict(task);
    byVerdict.set(said, [...(byVerdict.get(said) ?? []), task]);
  }
  return [...byVerdict].map(([said, alike]) => `${namesOf(alike)}: ${said}`);
}

/** `0 hellaswag`; of several, `0 hellaswag, 1 winogrande`, beyond a few only their numbers. */
function namesOf(tasks: readonly TaskSnapshot[]): string {
  const few = 3;
  if (tasks.length > few) return `tasks ${tasks.map(({ index }) => index).join(', ')}`;
  return tasks.map(({ index, name }) => `${index} ${harmlessLine(name)}`).join(', ');
}
