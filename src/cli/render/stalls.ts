import type { Stall } from '../../runs/stalled';
import { clock } from './elapsed';
import { harmlessLine, shortened } from '../../support/terminal-text';

/** Characters of a cause: the rest of it is a stack of the worker's code. */
const longestCause = 300;

/** What to tell of workflows that no worker can carry on, and what to do; `undefined`: there are none. Pure. */
export function stallText(
  stalls: readonly Stall[],
  { invocation, program }: { readonly invocation: string; readonly program: string },
): string | undefined {
  const [first] = stalls;
  if (first === undefined) return undefined;
  const attempts = Math.max(...stalls.map((stall) => stall.attempts));
  const since = Math.min(...stalls.map((stall) => stall.since));
  const cause = shortened(harmlessLine(first.cause.split('\n', 1)[0] ?? ''), longestCause);
  return [
    `${subject(stalls)} can't go on: the worker has failed to carry it on ${attempts} times since ${clock(since)} (${cause}).`,
    stalls.some(({ isNondeterminism }) => isNondeterminism)
      ? `Another build of evalsaga has begun it than the one that serves it now. It goes on by itself as soon as a worker of that build is there again: install that, then ${program} up.`
      : `That is a fault of evalsaga's code on the worker; it goes on by itself as soon as a worker can: another version, then ${program} up.`,
    `Until then a cancel waits too, and endpoints cost money. To give the run up and remove all that is left: ${program} cleanup ${invocation} --terminate`,
  ].join('\n');
}

function subject(stalls: readonly Stall[]): string {
  const tasks = stalls.flatMap(({ who }) => (who === 'run' ? [] : [who]));
  const shown = tasks.slice(0, 10).join(', ') + (tasks.length > 10 ? ', …' : '');
  const parts = [
    ...(tasks.length < stalls.length ? ['the run itself'] : []),
    ...(tasks.length > 0 ? [`${tasks.length === 1 ? 'task' : 'tasks'} ${shown}`] : []),
  ];
  return parts.join(' and ');
}
