import type { LeptonErrorKind } from './lepton-error';
import type { Pace } from './pace';

/** When to try again and when to look again. Pure: what is random comes in as a function. Milliseconds throughout. */

/** The longest wish of a server (`Retry-After`) that is granted: beyond it, asking again is cheaper than waiting. */
export const maxRetryAfterMs = 5 * 60_000;

interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** A cut connection is often back at once; a rate limit never is. */
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

/**
 * What a platform on this machine refuses it decides by itself: no token is handed around, no service for them recovers. Only
 * its own restart, with another token, has to be waited out.
 */
const localRefusalBackoff: Backoff = { firstMs: 500, longestMs: 6_000 };
const refusals: readonly LeptonErrorKind[] = ['unauthorized', 'forbidden', 'invalid_request'];

export interface FailedAttempt {
  readonly kind: LeptonErrorKind;
  /** The attempt that just failed, from 1. */
  readonly attempt: number;
  /** From `LeptonError.retryAfterMs`. */
  readonly retryAfterMs: number | undefined;
  /** From `LeptonError.pace`; default: of a service across the internet. */
  readonly pace?: Pace | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Delay before the next attempt: the backoff doubles with each attempt up to its cap, and is drawn from its upper half
 * so that many tasks failing together do not come back together. A `Retry-After` is a lower bound (at most 5 min),
 * stretched by up to a tenth for the same reason.
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
 * Delay before the next look at an endpoint or job that has been waited for since `elapsedMs`. Grows by a fiftieth of the
 * time waited (a model that took ten minutes so far is not missed by a few seconds): local 300 ms to 2 s, Lepton 3 s to 15 s.
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

/** Delay before the next look at something that has been going since `elapsedMs`: a tenth longer than it took so far. */
export function removalPollDelayMs({ elapsedMs, platform }: { elapsedMs: number; platform: Pace }): number {
  const { firstMs, longestMs } = removalPolling[platform];
  return Math.round(Math.min(firstMs + Math.max(elapsedMs, 0) / 10, longestMs));
}

/** `Retry-After` in milliseconds from `nowMs`: seconds or an HTTP date; `undefined` when absent or neither. */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1_000);
  // Date.parse takes almost anything for a date; an HTTP date begins with the name of a day.
  if (!/^(mon|tue|wed|thu|fri|sat|sun)/i.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(at - nowMs, 0);
}
