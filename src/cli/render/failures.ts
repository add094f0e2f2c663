import { indexText } from '../../contract/identity';
import type { TaskSnapshot } from '../../contract/state';
import { verdict } from './progress-lines';
import { harmlessLine } from '../../support/terminal-text';

/** Returns a line for each failure, with all tasks that share it. Pure. */
export function failureLines(tasks: readonly TaskSnapshot[]): string[] {
  const byVerdict = new Map<string, TaskSnapshot[]>();
  for (const task of tasks) {
    if (task.outcome === 'succeeded') continue;
    const text = verdict(task);
    byVerdict.set(text, [...(byVerdict.get(text) ?? []), task]);
  }
  return [...byVerdict].map(([text, alike]) => `${namesOf(alike)}: ${text}`);
}

/** Returns `0 hellaswag, 1 winogrande`; for more than a few tasks, only their numbers. */
function namesOf(tasks: readonly TaskSnapshot[]): string {
  const few = 3;
  if (tasks.length > few) return `tasks ${tasks.map(({ index }) => indexText(index)).join(', ')}`;
  return tasks.map(({ index, name }) => `${indexText(index)} ${harmlessLine(name)}`).join(', ');
}
