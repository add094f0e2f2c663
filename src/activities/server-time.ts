import type { Info } from '@temporalio/activity';
import { performance } from 'node:perf_hooks';

/**
 * The Temporal server's clock, by which runs are dated and what they cost is counted: this machine's may differ by minutes. The server
 * sent each attempt before it began here, so each tells a time that the server's clock has passed; the latest of these is exact to
 * how fast the fastest of them was taken.
 */

/** Milliseconds by which the server's clock is ahead of the monotonic one of this process. */
let aheadMs: number | undefined;

/** Takes note of when an attempt was due that begins now. */
export function noteServerTime({
  currentAttemptScheduledTimestampMs: dueMs,
}: Pick<Info, 'currentAttemptScheduledTimestampMs'>): void {
  aheadMs = Math.max(aheadMs ?? -Infinity, dueMs - performance.now());
}

/** Milliseconds by which this machine's clock may be ahead of what is known and still be taken for right: attempts take a moment to come. */
const toleranceMs = 2_000;

/** Returns the time by the server's clock, milliseconds since the epoch; by this machine's before the first attempt. */
export function serverNowMs(): number {
  const hereMs = Date.now();
  if (aheadMs === undefined) return hereMs;
  const leastMs = aheadMs + performance.now();
  return hereMs >= leastMs && hereMs - leastMs <= toleranceMs ? hereMs : leastMs;
}

/** The same as ISO 8601. */
export const serverNow = (): string => new Date(serverNowMs()).toISOString();
