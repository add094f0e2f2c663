/** A batch as far as its places matter. */
export interface PlacedBatch {
  readonly size: number;
  /** How many of its tasks may run at the same time. */
  readonly places: number;
  /** Tasks that have not ended. */
  readonly remaining: number;
}

/**
 * Shares the places of a run among its batches, the first ones first; returns the places of each. A batch never loses places: those
 * that it has no more tasks for go to the next. Pure.
 */
export function placesAfter(batches: readonly PlacedBatch[], width: number): number[] {
  let free = width - batches.reduce((sum, { places, remaining }) => sum + Math.min(places, remaining), 0);
  return batches.map(({ places, remaining }) => {
    const more = Math.max(0, Math.min(free, remaining - places));
    free -= more;
    return places + more;
  });
}
