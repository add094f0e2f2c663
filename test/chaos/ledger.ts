/** What crosses a border of the product in one case, in order, counted, and open to interference. */

/**
 * Where a run talks to something that may fail: the platform's API, the model server of an endpoint, and Temporal, as the
 * worker and as the command reach it.
 */
export type Border = 'platform' | 'model' | 'worker' | 'client';

/** One request on its way. */
export interface Passage {
  readonly border: Border;
  /** Of HTTP, or the name of a call to Temporal. */
  readonly method: string;
  /** The route without what differs from run to run; of a call to Temporal: what it is about. */
  readonly shape: string;
  /** Which one of its border, method and shape, from 1. */
  readonly nth: number;
  readonly task: number | undefined;
}

/** A request with what became of it: `done` is the status that was answered, also when the run was not told. */
export interface Passed extends Passage {
  done: number | undefined;
}

/** An answer that is made up. `status`: of HTTP or gRPC, by the border. */
export interface Refusal {
  readonly kind: 'refuse';
  readonly status: number;
  readonly retryAfter?: number;
  /** Of HTTP: what stands in the body instead of the service's own `{code, message}`. */
  readonly page?: { readonly type: string; readonly text: string };
}

/** What the run gets to see: an answer, a refusal, a broken connection, a broken stream on a sound one, or nothing. */
export type Seen<A> = A | Refusal | 'cut' | 'reset' | 'silence';

export const isRefusal = (seen: object): seen is Refusal => 'kind' in seen && seen.kind === 'refuse';

export type Interference = <A extends object>(
  passage: Passage,
  forward: () => Promise<A>,
) => Promise<Seen<A>> | undefined;

export class Ledger {
  private readonly entries: Passed[] = [];
  private readonly counts = new Map<string, number>();
  private interference: Interference = () => undefined;
  private startedAt = 0;

  get passed(): readonly Passed[] {
    return this.entries;
  }

  /** What passed since counting began anew. */
  get counted(): readonly Passed[] {
    return this.entries.slice(this.startedAt);
  }

  interfere(with_: Interference): void {
    this.interference = with_;
  }

  /** Counts anew: all before only brought the run to where it shall be disturbed. */
  restart(): void {
    this.counts.clear();
    this.startedAt = this.entries.length;
  }

  enter(what: Omit<Passage, 'nth'>): Passed {
    const key = `${what.border} ${what.method} ${what.shape}`;
    const nth = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, nth);
    const entry: Passed = { ...what, nth, done: undefined };
    this.entries.push(entry);
    return entry;
  }

  /** Passes a request on, or lets the interference do with it what it does. */
  async pass<A extends object>(entry: Passed, forward: () => Promise<A>): Promise<Seen<A>> {
    return this.interference(entry, forward) ?? forward();
  }
}
