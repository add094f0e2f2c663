/** Maximum interval between requests to an endpoint without other traffic, milliseconds. */
const longestGapMs = 300_000;

/**
 * Returns the interval, milliseconds, of requests that keep the platform from scaling an endpoint to zero after
 * `noTrafficSeconds`; `null`: it never scales down. A quarter of that time, so that a lost request does no harm. Pure.
 */
export const keepAwakeEveryMs = (noTrafficSeconds: number | null): number | null =>
  noTrafficSeconds === null ? null : Math.min(longestGapMs, noTrafficSeconds * 250);
