import { fetch } from 'undici';
import { sharedDispatcher } from './dispatcher';
import type { PlatformAccess } from './types';

/** Smaller differences are ignored: a `Date` header has whole seconds, and an answer takes time. In milliseconds. */
const toleranceMs = 5_000;

/** A server's clock, by the `Date` headers of its answers. It may differ from this host's by minutes. */
export class ServerClock {
  #aheadMs = 0;

  /** Records the `Date` header of an answer that has just arrived. */
  note(date: string | null): void {
    this.#aheadMs = serverAheadMs(date, Date.now()) ?? this.#aheadMs;
  }

  /** Milliseconds since the epoch by the server's clock; by this host's until the server has answered. */
  now(): number {
    return Date.now() + this.#aheadMs;
  }

  /** Milliseconds by which the server's clock is ahead of this host's, negative if it is behind; 0 within five seconds. */
  get aheadMs(): number {
    return this.#aheadMs;
  }
}

/** Returns `ServerClock.aheadMs` for one `Date` header, written at `nowMs` by this host's clock. `undefined`: no date. Pure. */
export function serverAheadMs(date: string | null, nowMs: number): number | undefined {
  const written = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(written)) return undefined;
  const aheadMs = Math.round(written - nowMs);
  return Math.abs(aheadMs) < toleranceMs ? 0 : aheadMs;
}

/** Timeout of `askServerClock`, in milliseconds. */
const answerWithinMs = 3_000;

/** Returns `ServerClock.aheadMs` of a platform by any one answer; 0 if there is no answer. */
export async function askServerClock({ url }: Pick<PlatformAccess, 'url'>): Promise<number> {
  try {
    const askedAt = Date.now();
    const answer = await fetch(url, {
      method: 'HEAD',
      redirect: 'manual',
      dispatcher: sharedDispatcher(),
      signal: AbortSignal.timeout(answerWithinMs),
    });
    return serverAheadMs(answer.headers.get('date'), (askedAt + Date.now()) / 2) ?? 0;
  } catch {
    return 0;
  }
}

/** Milliseconds from which a difference is worth a user's attention. */
const noticeableMs = 30_000;

/** Returns how this host's clock relates to the server's, `10 min ahead of`; `undefined` if there is no noticeable difference. Pure. */
export function describeClockOffset(serverAheadMs: number): string | undefined {
  const seconds = Math.round(Math.abs(serverAheadMs) / 1_000);
  if (seconds * 1_000 < noticeableMs) return undefined;
  return `${seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`} ${serverAheadMs < 0 ? 'ahead of' : 'behind'}`;
}
