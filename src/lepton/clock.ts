import { fetch } from 'undici';
import { sharedDispatcher } from './dispatcher';
import type { PlatformAccess } from './types';

/** Milliseconds that the question may take. */
const timeoutMs = 3_000;
/** Below this a difference is none: the header counts whole seconds, and the way takes its time. */
const minimumOffsetMs = 30_000;

/**
 * By how much this machine's clock is ahead of the platform's (negative: behind), milliseconds, from the `Date` of an
 * answer, whatever else it says; 0 where they agree or nobody knows.
 */
export async function clockAheadMs({ url }: Pick<PlatformAccess, 'url'>): Promise<number> {
  try {
    const askedAt = Date.now();
    const answer = await fetch(url, {
      method: 'HEAD',
      redirect: 'manual',
      dispatcher: sharedDispatcher(),
      signal: AbortSignal.timeout(timeoutMs),
    });
    return clockDifferenceMs(answer.headers.get('date'), (askedAt + Date.now()) / 2);
  } catch {
    return 0;
  }
}

/** `nowMs`: when the header was written, by this machine's clock. Pure. */
export function clockDifferenceMs(date: string | null, nowMs: number): number {
  const theirs = date === null ? NaN : Date.parse(date);
  const ahead = nowMs - theirs;
  return Number.isNaN(ahead) || Math.abs(ahead) < minimumOffsetMs ? 0 : Math.round(ahead);
}

/** `10 min ahead of`. Pure. */
export const describeClockOffset = (aheadMs: number): string => {
  const seconds = Math.round(Math.abs(aheadMs) / 1_000);
  return `${seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`} ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
};
