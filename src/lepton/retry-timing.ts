/** Delays between retries and between polls, in milliseconds. Pure: randomness is passed in as a function. */
import type { LeptonErrorKind } from './lepton-error';
import type { Pace } from './pace';

/** Limit on a server's `Retry-After`: beyond it, trying again is better than waiting. */
export const maxRetryAfterMs = 5 * 60_000;

interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** A lost connection often recovers at once; a rate limit never does. */
const backoffs: Readonly<Record<LeptonErrorKind, Backoff>> = {
  network: { firstMs: 500, longestMs: 30_000 },
  server: { firstMs: 1_000, longestMs: 60_000 },
  invalid_response: { firstMs: 1_000, longestMs: 60_000 },
  rate_limited: { firstMs: 2_000, longestMs: 120_000 },
  conflict: { firstMs: 1_000, longestMs: 30_000 },
  not_found: { firstMs: 1_000, longestMs: 30_000 },
  unauthorized: { firstMs: 5_000, longestMs: 60_000 },
  forbidden: { firstMs: 5_000, longestMs: 60_000 },
  invalid_request: { firstMs: 5_000, longestMs: 60_000 },
};

/** A platform on this machine decides by itself what it refuses. Retries only need to outlast its restart with another token. */
const localRefusalBackoff: Backoff = { firstMs: 500, longestMs: 6_000 };
const refusals: readonly LeptonErrorKind[] = ['unauthorized', 'forbidden', 'invalid_request'];

export interface FailedAttempt {
  readonly kind: LeptonErrorKind;
  /** The attempt that just failed, from 1. */
  readonly attempt: number;
  /** From `LeptonError.retryAfterMs`. */
  readonly retryAfterMs: number | undefined;
  /** From `LeptonError.pace`; default `lepton`. */
  readonly pace?: Pace | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Returns the delay before the next attempt. The backoff doubles with each attempt up to its cap; the delay is drawn from its
 * upper half, so that tasks that failed together do not retry together. A `Retry-After` (at most 5 min) is a lower bound,
 * extended by up to a tenth for the same reason.
 */
export function retryDelayMs({ kind, attempt, retryAfterMs, pace, random }: FailedAttempt): number {
  const { firstMs, longestMs } = pace === 'local' && refusals.includes(kind) ? localRefusalBackoff : backoffs[kind];
  const doublings = Math.min(Math.max(attempt - 1, 0), 30);
  const ceiling = Math.min(firstMs * 2 ** doublings, longestMs);
  const backoff = ceiling * (0.5 + random() / 2);
  if (retryAfterMs === undefined) return Math.round(backoff);
  const wished = Math.min(Math.max(retryAfterMs, 0), maxRetryAfterMs);
  return Math.round(Math.max(backoff, Math.min(wished * (1 + random() / 10), maxRetryAfterMs)));
}

const polling = {
  local: { firstMs: 300, longestMs: 2_000, growth: 0.02 },
  lepton: { firstMs: 3_000, longestMs: 15_000, growth: 0.02 },
} as const satisfies Readonly<Record<Pace, object>>;

/**
 * Returns the delay before the next poll of an endpoint or job that has been waited for during `elapsedMs`. It grows by a
 * fiftieth of that time: after ten minutes a few seconds do not matter. Local 300 ms to 2 s, Lepton 3 s to 15 s.
 */
export function pollDelayMs({ elapsedMs, platform }: { elapsedMs: number; platform: Pace }): number {
  const { firstMs, longestMs, growth } = polling[platform];
  return Math.round(Math.min(firstMs + Math.max(elapsedMs, 0) * growth, longestMs));
}

/** Delay before the next look at an endpoint that is up while its job runs: it rarely fails, and the job shows that as well. */
export function watchDelayMs(look: { elapsedMs: number; platform: Pace }): number {
  return pollDelayMs(look) * 3;
}

const removalPolling = {
  local: { firstMs: 300, longestMs: 10_000 },
  lepton: { firstMs: 3_000, longestMs: 30_000 },
} as const satisfies Readonly<Record<Pace, object>>;

/** Returns the delay before the next poll of a resource whose deletion has taken `elapsedMs` so far. It grows by a tenth of that time. */
export function removalPollDelayMs({ elapsedMs, platform }: { elapsedMs: number; platform: Pace }): number {
  const { firstMs, longestMs } = removalPolling[platform];
  return Math.round(Math.min(firstMs + Math.max(elapsedMs, 0) / 10, longestMs));
}

/** Returns `Retry-After`, seconds or an HTTP date, in milliseconds from `nowMs`; `undefined` if absent or invalid. */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1_000);
  // Date.parse accepts almost anything, but an HTTP date begins with the name of a day.
  if (!/^(mon|tue|wed|thu|fri|sat|sun)/i.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(at - nowMs, 0);
}
