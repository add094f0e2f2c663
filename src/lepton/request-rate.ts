import { maxRetryAfterMs } from './retry-timing';

/** How many requests a platform bears, as far as its answers have shown. Pure; times in milliseconds of any one clock. */
export interface RequestRate {
  /** Requests per second; `Infinity`: it has never refused one, or not for long. */
  readonly perSecond: number;
  /** Requests that may be sent at once, at `atMs`; grows with time. */
  readonly tokens: number;
  readonly atMs: number;
  /** No request before. */
  readonly closedUntilMs: number;
  /** When the rate was last reduced: requests sent before say nothing about it. */
  readonly reducedAtMs: number;
  /** Reductions since the last answer that was no refusal. */
  readonly refusals: number;
}

export const unlimited: RequestRate = {
  perSecond: Infinity,
  tokens: 0,
  atMs: 0,
  closedUntilMs: -Infinity,
  reducedAtMs: -Infinity,
  refusals: 0,
};

/** Requests per second. */
const slowest = 0.5;
/** From here on there is no limit until the next refusal. */
const fastest = 100;
/** What the rate gains per second while requests are answered. */
const gainPerSecond = 0.25;
/** Seconds of the rate that may be sent in one burst, if nothing was sent before. */
const burstSeconds = 0.5;
/** Less than this part of a request is no reason to wait. */
const rounding = 1e-6;
/** Pause after a refusal that names none; doubles with each further one. */
const pauseMs = { first: 1_000, longest: 30_000 } as const;

/** Takes leave for one request now; `waitMs` above 0: not yet, and this much later at the earliest. */
export function take(rate: RequestRate, nowMs: number): { readonly rate: RequestRate; readonly waitMs: number } {
  if (nowMs < rate.closedUntilMs) return { rate, waitMs: rate.closedUntilMs - nowMs };
  if (rate.perSecond === Infinity) return { rate, waitMs: 0 };
  const filled = tokensAt(rate, nowMs);
  if (filled < 1 - rounding) return { rate, waitMs: ((1 - filled) / rate.perSecond) * 1_000 };
  return { rate: { ...rate, tokens: Math.max(0, filled - 1), atMs: nowMs }, waitMs: 0 };
}

/** Returns about how long a request has to wait that is `ahead` requests away from being the next. */
export function waitOf(
  rate: RequestRate,
  { nowMs, ahead }: { readonly nowMs: number; readonly ahead: number },
): number {
  const missing = Math.max(0, ahead + 1 - tokensAt(rate, nowMs));
  return Math.max(0, rate.closedUntilMs - nowMs) + (missing / rate.perSecond) * 1_000;
}

export interface Refusal {
  readonly nowMs: number;
  /** When the refused request was sent. */
  readonly sentAtMs: number;
  /** `Retry-After`; `undefined`: none. */
  readonly retryAfterMs: number | undefined;
  /** Requests per second sent lately. */
  readonly seenPerSecond: number;
  /** Uniform in [0, 1). Workers that were refused together don't return together. */
  readonly random: number;
}

/** Halves the rate, once per burst of refusals, and closes it for as long as the platform asks. */
export function refused(rate: RequestRate, refusal: Refusal): RequestRate {
  const { nowMs, sentAtMs, retryAfterMs, seenPerSecond, random } = refusal;
  const isKnown = sentAtMs < rate.reducedAtMs;
  const own = Math.min(pauseMs.first * 2 ** Math.min(rate.refusals, 10), pauseMs.longest);
  const askedMs = Math.min(retryAfterMs ?? (isKnown ? 0 : own), maxRetryAfterMs);
  const closedUntilMs = Math.max(rate.closedUntilMs, nowMs + askedMs * (1 + random / 10));
  if (isKnown) return { ...rate, closedUntilMs };
  const before = Math.min(rate.perSecond, Math.max(seenPerSecond, slowest));
  const perSecond = Math.max(before / 2, slowest);
  return { perSecond, tokens: 1, atMs: closedUntilMs, closedUntilMs, reducedAtMs: nowMs, refusals: rate.refusals + 1 };
}

/** Raises the rate a little after an answer that was no refusal; without a limit at the end. */
export function answered(rate: RequestRate, { nowMs, sentAtMs }: Pick<Refusal, 'nowMs' | 'sentAtMs'>): RequestRate {
  if (rate.perSecond === Infinity || sentAtMs < rate.reducedAtMs || nowMs < rate.closedUntilMs) return rate;
  const perSecond = rate.perSecond + gainPerSecond / rate.perSecond;
  if (perSecond >= fastest) return unlimited;
  return { ...rate, perSecond, tokens: tokensAt(rate, nowMs), atMs: Math.max(rate.atMs, nowMs), refusals: 0 };
}

function tokensAt({ perSecond, tokens, atMs }: RequestRate, nowMs: number): number {
  if (perSecond === Infinity) return Infinity;
  const gained = (Math.max(0, nowMs - atMs) / 1_000) * perSecond;
  return Math.min(tokens + gained, Math.max(1, perSecond * burstSeconds));
}
