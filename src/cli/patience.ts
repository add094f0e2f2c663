import type { RetryOptions } from '../lepton/retry';
import type { Output } from './output';

/** As long as a run's own reads bear refusals: longer than a hiccup or a rate limit's window, short enough to wait for. */
const withinMs = 60_000;

/** A platform that fails in passing must not leave half of the work undone; each reason to wait is told once. */
export function patienceOf(output: Pick<Output, 'note'>): RetryOptions {
  const told = new Set<string>();
  return {
    withinMs,
    onRetry(reason) {
      if (!told.has(reason)) output.note(`${reason}; asking again for up to ${withinMs / 1000} s`);
      told.add(reason);
    },
  };
}
