import { ApplicationFailure } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time';
import { failureTypes } from '../contract/failure-types';

/**
 * Waits that stay in their worker: instead of failing with NotReady after each poll (`look`) and being retried by Temporal, the
 * attempt pauses and polls again. A wait of hours costs Temporal nothing but heartbeats.
 */

/** Milliseconds that one poll may take: a probe's warm-up may last a minute. */
const longestLookMs = 90_000;

export interface TimeOfAttempt {
  /** Milliseconds since the attempt began. */
  readonly spentMs: number;
  /** 0: no limit. */
  readonly startToCloseMs: number;
}

/**
 * Returns the pause before the next poll of the same attempt, milliseconds; `undefined` if the attempt must end with this
 * failure, because it is of another kind or because another poll might not end in time. Pure.
 */
export function pauseBeforeNextLook(failure: unknown, { spentMs, startToCloseMs }: TimeOfAttempt): number | undefined {
  if (!(failure instanceof ApplicationFailure) || failure.nonRetryable === true) return undefined;
  if (failure.type !== failureTypes.notReady || failure.nextRetryDelay === undefined) return undefined;
  const pauseMs = msToNumber(failure.nextRetryDelay);
  // Older workflow code gives each attempt of a wait two minutes or less.
  const look = Math.min(longestLookMs, startToCloseMs * 0.75);
  return startToCloseMs > 0 && spentMs + pauseMs + look > startToCloseMs ? undefined : pauseMs;
}

/**
 * Maximum number of waits that stay in this process at once: less than its limit of concurrent activities (src/worker.ts), so
 * that a removal never has to wait for a wait to end. Temporal retries further waits after each poll.
 */
export const mostStaying = 11_000;
let staying = 0;

/** Admits a wait; returns the function to call when it has ended, or `undefined` if there are too many. */
export function admitWait(most = mostStaying): (() => void) | undefined {
  if (staying >= most) return undefined;
  staying += 1;
  return () => {
    staying -= 1;
  };
}

/** The waits of this process, by workflow run. */
const waits = new Map<string, Set<AbortController>>();

/** The reason why a wait ends early. Its attempt fails retryably, and Temporal decides whether to continue it. */
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
 * Ends the waits of a workflow run in this process, because its teardown has begun. The workflow has cancelled them, but Temporal
 * delivers that only with the next heartbeat; until then they would poll an endpoint that is being deleted.
 */
export function endWaitsOf(workflowRun: string): void {
  for (const wait of waits.get(workflowRun) ?? []) wait.abort(new WaitEnded('its task is torn down'));
}

/** Has `listener` called when something happens; returns the function that ends this. */
export type Subscribe = (listener: () => void) => () => void;

/** Listens for the changes that a wait is to be told of, between its looks and during them. */
export class Waker {
  private end: (() => void) | undefined;
  private isWoken = false;
  private wake: (() => void) | undefined;

  /** Listens there from now on. Calls `subscribe` before it ends what it listened to, so that nothing is missed in between. */
  listen(subscribe: Subscribe): void {
    const before = this.end;
    this.end = subscribe(() => {
      this.isWoken = true;
      this.wake?.();
    });
    before?.();
  }

  /** Forgets the changes until now: the look that begins sees them. */
  rest(): void {
    this.isWoken = false;
  }

  /** Calls back at the next change; soon if there was one since the look began. */
  readonly subscribe: Subscribe = (listener) => {
    this.wake = listener;
    if (this.isWoken) queueMicrotask(listener);
    return () => {
      this.wake = undefined;
    };
  };

  close(): void {
    this.end?.();
    this.end = undefined;
  }
}

/** Resolves after `ms`, or when `wakeOn` calls back; rejects with the signal's reason as soon as it aborts. */
export function pause(ms: number, signal: AbortSignal, wakeOn?: Subscribe): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      unsubscribe?.();
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const abort = (): void => {
      done();
      reject(signal.reason as Error);
    };
    const wake = (): void => {
      done();
      resolve();
    };
    const timer = setTimeout(wake, ms);
    const unsubscribe = wakeOn?.(wake);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/** Returns a signal that aborts with any of the sources, until closed. Not `AbortSignal.any`, for the reason in support/within.ts. */
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

/** Settles as `work` does, unless the signal aborts first: then rejects with its reason and abandons `work`. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    // Not a race with one promise for the whole wait, which would keep every poll in memory until the wait ends.
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
