/**
 * Milliseconds for which a create whose answer was lost may still take effect. The removal is repeated for this long after the
 * last such request; the sweeper handles anything that appears later.
 */
export const landsWithinMs = 15_000;

type Created = 'endpoint' | 'job';

/** Until when the creates of a task may still take effect. */
export class LateCreates {
  /** Milliseconds since the epoch; `undefined`: the outcome is unknown. */
  private readonly until: Record<Created, number | undefined> = { endpoint: 0, job: 0 };

  /** A create is about to be sent. */
  begin(what: Created): void {
    this.until[what] = undefined;
  }

  /** A create has succeeded or was refused. `lost`: an earlier attempt got no answer. */
  settle(what: Created, { lost }: { readonly lost: boolean }): void {
    this.until[what] = lost ? Date.now() + landsWithinMs : 0;
  }

  settledAt(what: Created): number {
    return this.until[what] ?? Date.now() + landsWithinMs;
  }

  mayLand(what: Created): boolean {
    return this.settledAt(what) > Date.now();
  }
}
