/** Records, counts and interferes with the requests that cross the product's borders in one case. */

/**
 * Where the product talks to something that may fail: the platform's API, the model server of an endpoint, and
 * Temporal, from the worker and from the command (`client`).
 */
export type Border = 'platform' | 'model' | 'worker' | 'client';

/** One request across a border. */
export interface Passage {
  readonly border: Border;
  /** HTTP method, or the name of a call to Temporal. */
  readonly method: string;
  /**
   * The route without parts that differ from run to run; for a call to Temporal, the type of its activity or
   * workflow.
   */
  readonly shape: string;
  /** Its number, from 1, among requests with the same border, method and shape. */
  readonly nth: number;
  readonly task: number | undefined;
}

/** A request with its real status in `done`, even if the run did not see the answer. */
export interface Passed extends Passage {
  done: number | undefined;
}

/** An injected error. `status` is an HTTP or gRPC status, depending on the border. */
export interface Refusal {
  readonly kind: 'refuse';
  readonly status: number;
  readonly retryAfter?: number;
  /** HTTP body instead of the service's `{code, message}`. */
  readonly page?: { readonly type: string; readonly text: string };
}

/** The real answer with a damaged body: the connection breaks halfway, or it looks whole and is not what was stored. */
export interface Damage {
  readonly kind: 'damage';
  readonly how: 'breaks halfway' | 'ends halfway' | 'wrong bytes' | 'a page';
}

export interface Damaged<A> extends Damage {
  readonly answer: A;
}

/** What the run sees: an answer, whole or damaged, an injected error, a broken connection, a broken stream, or nothing. */
export type VisibleAnswer<A> = A | Damaged<A> | Refusal | 'cut' | 'reset' | 'silence';

export const isRefusal = (seen: object): seen is Refusal => 'kind' in seen && seen.kind === 'refuse';

export const isDamaged = <A extends object>(seen: A | Damaged<A>): seen is Damaged<A> =>
  'kind' in seen && seen.kind === 'damage';

export type Interference = <A extends object>(
  passage: Passage,
  forward: () => Promise<A>,
) => Promise<VisibleAnswer<A>> | undefined;

export class Ledger {
  private readonly entries: Passed[] = [];
  private readonly counts = new Map<string, number>();
  private interference: Interference = () => undefined;
  private startedAt = 0;

  get passed(): readonly Passed[] {
    return this.entries;
  }

  /** The requests since the last restart. */
  get counted(): readonly Passed[] {
    return this.entries.slice(this.startedAt);
  }

  interfere(interference: Interference): void {
    this.interference = interference;
  }

  /** Restarts counting: earlier requests only brought the run to where it is to be disturbed. */
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

  /** Forwards a request, unless the interference handles it. */
  async pass<A extends object>(entry: Passed, forward: () => Promise<A>): Promise<VisibleAnswer<A>> {
    return this.interference(entry, forward) ?? forward();
  }
}
