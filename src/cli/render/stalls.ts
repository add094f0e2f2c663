import { indexText } from '../../contract/identity';
import type { HeldUp } from '../../runs/held-up';
import type { Stall } from '../../runs/stalled';
import { clock } from './elapsed';
import { harmlessLine, shortened } from '../../support/terminal-text';

/** Characters shown of a cause; the rest is a stack trace. */
const longestCause = 300;

/** Describes workflows that no worker can continue, and what to do; `undefined`: there are none. Pure. */
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
    `${subject(stalls)} can't go on: the worker has failed to continue it ${attempts} times since ${clock(since)} (${cause}).`,
    stalls.some(({ isNondeterminism }) => isNondeterminism)
      ? `It was started by another build of evalsaga than the one that serves it now. It goes on by itself as soon as a worker of that build is running again: install that build, then ${program} up.`
      : `That is a fault in evalsaga's code on the worker. It goes on by itself as soon as a worker can continue it: install another version, then ${program} up.`,
    `Until then a cancel waits too, and endpoints cost money. To give up the run and remove everything that is left: ${program} cleanup ${invocation} --terminate`,
  ].join('\n');
}

function subject(stalls: readonly Stall[]): string {
  const tasks = stalls.flatMap(({ who }) => (who === 'run' ? [] : [who]));
  const shown = tasks.slice(0, 10).map(indexText).join(', ') + (tasks.length > 10 ? ', …' : '');
  const parts = [
    ...(tasks.length < stalls.length ? ['the run itself'] : []),
    ...(tasks.length > 0 ? [`${tasks.length === 1 ? 'task' : 'tasks'} ${shown}`] : []),
  ];
  return parts.join(' and ');
}

/** Says why a run has not begun, and what helps. Pure. */
export const heldUpText = (
  { attempts, cause }: HeldUp,
  { invocation, program }: { readonly invocation: string; readonly program: string },
): string =>
  `The run has not begun, after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${harmlessLine(cause)}.\n` +
  `Nothing was created. It begins by itself once a worker can begin it; to give it up: ${program} cancel ${invocation}`;
