import { sleep } from '@temporalio/workflow';

/**
 * Milliseconds for which a create whose answer was lost may still take effect. The removal is repeated for this long after the
 * last such request; the sweeper handles anything that appears later.
 */
export const landsWithinMs = 15_000;

/** Milliseconds until the first repetition; short, since most late creates take effect almost at once. */
const firstLookAgainMs = 3_000;

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

  /** Removes what was created, again and again until no create may take effect any more. `beforeAgain`: called before each repetition. */
  async removeUntilSettled(
    what: Created,
    remove: () => Promise<void>,
    beforeAgain?: () => Promise<void> | undefined,
  ): Promise<void> {
    const until = this.settledAt(what);
    let pauseMs = firstLookAgainMs;
    await remove();
    for (let leftMs = until - Date.now(); leftMs > 0; leftMs = until - Date.now()) {
      await sleep(Math.min(pauseMs, leftMs), { summary: `look again for a late ${what}` });
      const before = beforeAgain?.();
      if (before) await before;
      await remove();
      pauseMs = landsWithinMs;
    }
  }
}
