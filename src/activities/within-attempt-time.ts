import { Context } from '@temporalio/activity';
import { failureTypes } from '../contract/failure-types';
import { within } from '../support/within';
import type { Attempt } from './attempt';
import { finalFailure } from './failures';

/** Share of an attempt's time for fetching files; the rest is for reading and reporting them. */
const partForFiles = 0.8;
/** Milliseconds for aborted work to end by itself; a hanging file system never does. */
const graceMs = 3_000;

/** Fails for good shortly before the activity would time out, so that the failure says why. */
export async function withinAttemptTime<T>(
  subject: string,
  { signal, elapsedMs }: Attempt,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { scheduleToCloseTimeoutMs: total, startToCloseTimeoutMs: each } = Context.current().info;
  const left = Math.min(total > 0 ? total - elapsedMs : Infinity, each > 0 ? each : Infinity, longestTimerMs);
  const ms = Math.max(0, left * partForFiles);
  const beginAt = Date.now();
  const isOver = (): boolean => !signal.aborted && Date.now() - beginAt >= ms;
  const late = () =>
    finalFailure(
      failureTypes.resultsUnusable,
      `${subject}: not all of it came home in its time (execution.teardown_timeout): it was given up after ${Math.round((Date.now() - beginAt) / 1000)} s`,
    );
  try {
    return await within({ ms, signal }, (bounded) => Promise.race([work(bounded), abandoned(bounded)]));
  } catch (error) {
    throw isOver() ? late() : error;
  }
}

/** Longest delay of a Node timer, milliseconds. */
const longestTimerMs = 2_147_483_647;

/** Rejects `graceMs` after the signal, for work that ignores it. */
function abandoned(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => void setTimeout(() => reject(signal.reason as Error), graceMs).unref(), {
      once: true,
    });
  });
}
