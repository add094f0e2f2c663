/** Looks in a row that must miss something before a wait ends because of it. */
const looksThatAgree = 3;

/**
 * How often in a row this worker's looks found something absent. Each look has asked both the listing and the resource itself;
 * still, what a task waits for is given up for good only when several looks agree: another worker counts anew.
 */
export class Absences {
  private readonly counts = new Map<string, number>();

  /** Notes what a look saw; whether absence is certain by now. */
  isCertain(key: string, isAbsent: boolean): boolean {
    if (!isAbsent) {
      this.counts.delete(key);
      return false;
    }
    const count = (this.counts.get(key) ?? 0) + 1;
    if (count >= looksThatAgree) {
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
