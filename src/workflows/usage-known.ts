import type { TaskSnapshot, Usage } from '../contract/state';
import { now } from './task-progress';

/** Returns a task's usage after news from who runs it: they know how it ended, but not when its resources began to cost. */
export function usageKnown(before: TaskSnapshot, { usage, phase, left }: TaskSnapshot): Usage {
  const spanOf = (what: keyof Usage): Usage[keyof Usage] => {
    const span = usage?.[what] ?? before.usage?.[what] ?? null;
    const isOver = phase === 'done' && !left.some(({ kind }) => kind === what);
    return span?.until === null && isOver ? { from: span.from, until: now() } : span;
  };
  return { endpoint: spanOf('endpoint'), job: spanOf('job') };
}
