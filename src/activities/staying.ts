import { ApplicationFailure } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time';
import { failureTypes } from '../contract/failure-types';

/**
 * Waits that stay in their worker: instead of failing with NotReady after each look and being retried by Temporal, the attempt
 * pauses and looks again. A wait of hours costs Temporal nothing but heartbeats.
 */

/** Milliseconds that one look may take: a probe's warm-up may last a minute. */
const longestLookMs = 90_000;

export interface TimeOfAttempt {
  /** Milliseconds since the attempt began. */
  readonly spentMs: number;
  /** 0: no limit. */
  readonly startToCloseMs: number;
}

/**
 * Returns the pause before the next look of the same attempt, milliseconds; `undefined`: the attempt has to end with this
 * failure, because it is of another kind, or because another look might not end in time. Pure.
 */
export function pauseBeforeNextLook(failure: unknown, { spentMs, startToCloseMs }: TimeOfAttempt): number | undefined {
  if (!(failure instanceof ApplicationFailure) || failure.nonRetryable === true) return undefined;
  if (failure.type !== failureTypes.notReady || failure.nextRetryDelay === undefined) return undefined;
  const pauseMs = msToNumber(failure.nextRetryDelay);
  // Waits that older workflow code scheduled have two minutes or less for an attempt.
  const look = Math.min(longestLookMs, startToCloseMs * 0.75);
  return startToCloseMs > 0 && spentMs + pauseMs + look > startToCloseMs ? undefined : pauseMs;
}

/**
 * Waits that may stay in this process at once: fewer than it takes activities (src/worker.ts), so that a removal never waits for a
 * wait to end. Further ones are retried by Temporal after each look.
 */
export const mostStaying = 3_000;
let staying = 0;

/** Lets a wait stay; returns how to say that it has ended, or `undefined` if there are too many. */
export function admitWait(most = mostStaying): (() => void) | undefined {
  if (staying >= most) return undefined;
  staying += 1;
  return () => {
    staying -= 1;
  };
}

/** The waits of this process, by the workflow run that they are for. */
const waits = new Map<string, Set<AbortController>>();

/** Why a wait ends early. Its attempt fails retryably: whether anybody continues it is Temporal's business. */
export class WaitEnded extends Error {
  override readonly name = 'WaitEnded';
}

/** Registers a wait of a workflow run; `end` must be called when it is over. */
export function registerWait(workflowRun: string): { readonly signal: AbortSignal; readonly end: () => void } {
  const own = new AbortController();
  const all = waits.get(workflowRun) ?? new Set();
  waits.set(workflowRun, all.add(own));
  const end = (): void => {
    all.delete(own);
    if (all.size === 0 && waits.get(workflowRun) === all) waits.delete(workflowRun);
  };
  return { signal: own.signal, end };
}

/**
 * Ends the waits of a workflow run in this process. Its teardown has begun, so it has cancelled them; Temporal tells them only
 * with the next heartbeat, and until then they would look at an endpoint that is being deleted.
 */
export function endWaitsOf(workflowRun: string): void {
  for (const wait of waits.get(workflowRun) ?? []) wait.abort(new WaitEnded('its task is torn down'));
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const abort = (): void => {
      done();
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      done();
      resolve();
    }, ms);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/** Follows several signals, for as long as it is not closed. `AbortSignal.any` may be forgotten by Node: see support/within.ts. */
export function following(sources: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal;
  readonly close: () => void;
} {
  const own = new AbortController();
  const closes = sources.flatMap((source) => {
    if (source === undefined) return [];
    const follow = (): void => own.abort(source.reason);
    if (source.aborted) follow();
    source.addEventListener('abort', follow, { once: true });
    return [() => source.removeEventListener('abort', follow)];
  });
  return { signal: own.signal, close: () => closes.forEach((close) => close()) };
}

/** Settles as `work` does, unless the signal aborts first: then rejects with its reason, and `work` is left alone. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    // Not a race with one promise for the whole wait: that would hold on to every look until it is over.
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
