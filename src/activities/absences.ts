/**
 * Looks in a row that must miss something before a wait ends because of it. Each has asked both the listing and the resource
 * itself; still, what a task waits for is given up for good only when several agree.
 */
export const looksThatAgree = 3;

/** Counts what happens several times in a row, by a key, as far as this worker sees it: another one counts anew. */
export class InARow {
  private readonly counts = new Map<string, number>();

  constructor(private readonly limit: number) {}

  /** Notes whether it happened once more; whether that is often enough now. */
  isReached(key: string, happened: boolean): boolean {
    if (!happened) {
      this.counts.delete(key);
      return false;
    }
    const count = (this.counts.get(key) ?? 0) + 1;
    if (count >= this.limit) {
      this.counts.delete(key);
      return true;
    }
    // Bounded: what a worker forgot it learns anew.
    if (this.counts.size > 10_000) this.counts.clear();
    this.counts.set(key, count);
    return false;
  }
}

/** What an activity has done once already, over its attempts on this worker. */
export class DoneOnce {
  private readonly keys = new Set<string>();

  has(key: string): boolean {
    return this.keys.has(key);
  }

  add(key: string): void {
    if (this.keys.size > 10_000) this.keys.clear();
    this.keys.add(key);
  }
}
