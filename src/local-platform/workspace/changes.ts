import { createHash } from 'node:crypto';
import type { Deployments } from './deployments';
import type { Jobs } from './jobs';

/** One revision per listing: it differs as soon as a state in that listing does. */
export interface Revisions {
  readonly deployments: string;
  readonly jobs: string;
}

/** Milliseconds between looks at the states while somebody waits; more where a look takes long. */
const lookEveryMs = { least: 50, most: 1_000, perLook: 20 } as const;

interface Waiter {
  readonly known: Revisions;
  readonly tell: (now: Revisions) => void;
}

/** Tells clients that wait for it when the state of a deployment or job has changed. Looks only while somebody waits. */
export class Changes {
  readonly #waiters = new Set<Waiter>();
  readonly #workspace: { readonly deployments: Pick<Deployments, 'list'>; readonly jobs: Pick<Jobs, 'list'> };
  #timer: NodeJS.Timeout | undefined;

  constructor(workspace: { readonly deployments: Pick<Deployments, 'list'>; readonly jobs: Pick<Jobs, 'list'> }) {
    this.#workspace = workspace;
  }

  /** Resolves to the current revisions once one differs from those `known`, or after `waitMs`, or when the signal aborts. */
  next(
    known: Revisions,
    { waitMs, signal }: { readonly waitMs: number; readonly signal: AbortSignal },
  ): Promise<Revisions> {
    const now = this.#now();
    if (isDifferent(now, known) || waitMs <= 0 || signal.aborted) return Promise.resolve(now);
    return new Promise((resolve) => {
      const leave = (revisions: Revisions): void => {
        clearTimeout(timeout);
        signal.removeEventListener('abort', giveUp);
        this.#waiters.delete(waiter);
        resolve(revisions);
      };
      const giveUp = (): void => leave(this.#now());
      const waiter: Waiter = { known, tell: leave };
      const timeout = setTimeout(giveUp, waitMs);
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiters.add(waiter);
      this.#lookLater(lookEveryMs.least);
    });
  }

  #lookLater(ms: number): void {
    this.#timer ??= setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#waiters.size === 0) return;
    const startedAt = performance.now();
    const now = this.#now();
    for (const waiter of [...this.#waiters]) if (isDifferent(now, waiter.known)) waiter.tell(now);
    const tookMs = performance.now() - startedAt;
    const pauseMs = Math.min(Math.max(tookMs * lookEveryMs.perLook, lookEveryMs.least), lookEveryMs.most);
    if (this.#waiters.size > 0) this.#lookLater(pauseMs);
  }

  #now(): Revisions {
    const { deployments, jobs } = this.#workspace;
    return {
      deployments: digest(
        deployments.list().map(({ record, observed: { state, url, readyReplicas, message } }) => {
          return [record.name, record.createdAt, state, url, readyReplicas, message];
        }),
      ),
      jobs: digest(
        jobs.list('alive_only').map(({ record, status: { state, message } }) => [record.id, state, message]),
      ),
    };
  }
}

const isDifferent = (one: Revisions, other: Revisions): boolean =>
  one.deployments !== other.deployments || one.jobs !== other.jobs;

const digest = (states: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(states)).digest('hex').slice(0, 16);
