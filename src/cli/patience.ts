import type { RetryOptions } from '../lepton/retry';
import type { Output } from './output';

/** Milliseconds: longer than a brief outage or a rate limit's window, and short enough to wait for. */
const withinMs = 60_000;

/** Retries temporary failures of the platform, and reports each reason once. */
export function patienceOf(output: Pick<Output, 'note'>): RetryOptions {
  const reported = new Set<string>();
  return {
    withinMs,
    onRetry(reason) {
      if (!reported.has(reason)) output.note(`${reason}; retrying for up to ${withinMs / 1000} s`);
      reported.add(reason);
    },
  };
}
