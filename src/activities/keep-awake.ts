/** Milliseconds between questions to an endpoint that has no other traffic, at most. */
const longestGapMs = 300_000;

/**
 * How often an endpoint must be asked something so that the platform does not scale it to zero after `noTrafficSeconds`; `null`:
 * it does not scale down. A quarter of its time: a lost question or two do no harm. Pure.
 */
export const keepAwakeEveryMs = (noTrafficSeconds: number | null): number | null =>
  noTrafficSeconds === null ? null : Math.min(longestGapMs, noTrafficSeconds * 250);
