/**
 * Returns Holm's adjusted p values: the chance that any of several tests is below a limit by accident is then at most that limit.
 * `null` stays `null` and does not count as a test. Pure.
 */
export function holmAdjusted(ps: readonly (number | null)[]): (number | null)[] {
  const tested = ps.flatMap((p, at) => (p === null ? [] : [{ p, at }])).sort((one, other) => one.p - other.p);
  const adjusted: (number | null)[] = ps.map(() => null);
  let highest = 0;
  for (const [rank, { p, at }] of tested.entries()) {
    highest = Math.max(highest, Math.min(1, p * (tested.length - rank)));
    adjusted[at] = highest;
  }
  return adjusted;
}
