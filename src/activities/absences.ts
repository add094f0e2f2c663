/**
 * Consecutive checks that must find a resource absent before a wait fails because of it. Each check queries both the listing and
 * the resource, but a single wrong answer must not end a task.
 */
export const absencesToBelieve = 3;

/** Counts consecutive occurrences per key. In memory: another worker starts from zero. */
export class InARow {
  private readonly counts = new Map<string, number>();

  constructor(private readonly limit: number) {}

  /** Records one check; returns whether the limit is reached. */
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
    // Bounds memory: counts that are lost start again.
    if (this.counts.size > 10_000) this.counts.clear();
    this.counts.set(key, count);
    return false;
  }
}

/** Remembers what an activity has already done in earlier attempts on this worker. */
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
