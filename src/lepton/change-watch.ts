import type { ChangeCalls, Revisions } from './types';

/** The kinds of listings that a platform may announce changes of. */
export type Listed = keyof Revisions;

export interface ChangeWatch {
  /**
   * Calls `listener` when the state of a resource has changed. Returns the function that ends this. `key`: a deployment's name, or a
   * job's id.
   */
  subscribe(kind: Listed, key: string, listener: () => void): () => void;
  /** Whether the platform announces changes now, so that this listing need not be read often. */
  isAlive(kind: Listed): boolean;
}

export interface ChangeWatchOptions extends ChangeCalls {
  /** Reads the listing anew; resolves to the state of each resource, by its key. */
  readonly states: (kind: Listed) => Promise<ReadonlyMap<string, string>>;
  /** Milliseconds until a platform that can't tell, or fails, is asked again. Default 30,000. */
  readonly againAfterMs?: number;
  /** Milliseconds after which a question is given up that nobody waits for any more. Default 1,000. */
  readonly lingerMs?: number;
}

/**
 * Watches a platform for all waits of a worker, with one held question, as long as there are any. A change is looked up in one
 * listing, and told to those only whose resource it is about.
 */
export function createChangeWatch(options: ChangeWatchOptions): ChangeWatch {
  const { states, againAfterMs = 30_000, lingerMs = 1_000 } = options;
  const listeners = { deployments: new Map<string, Set<() => void>>(), jobs: new Map<string, Set<() => void>>() };
  const before: Record<Listed, ReadonlyMap<string, string>> = { deployments: new Map(), jobs: new Map() };
  /** Listings that have changed while nobody waited for anything in them. */
  const missed = new Set<Listed>();
  let known: Revisions | undefined;
  let running: AbortController | undefined;
  let silentUntil = -Infinity;

  const isAwaited = (): boolean => listeners.deployments.size + listeners.jobs.size > 0;

  const tell = async (kind: Listed): Promise<void> => {
    const now = await states(kind);
    const earlier = before[kind];
    before[kind] = now;
    const changed = [...listeners[kind]].filter(([key]) => now.get(key) !== earlier.get(key));
    for (const [, waiting] of changed) for (const listener of [...waiting]) listener();
  };

  const watch = async (signal: AbortSignal): Promise<void> => {
    while (isAwaited()) {
      const next = await options.nextChange(known, { signal });
      if (next === undefined) throw new Error('this platform announces no changes');
      const changed = (['deployments', 'jobs'] as const).filter((kind) => known?.[kind] !== next[kind]);
      known = next;
      for (const kind of changed) if (listeners[kind].size === 0) missed.add(kind);
      await Promise.all(changed.filter((kind) => !missed.has(kind)).map(tell));
    }
  };

  const run = (): void => {
    if (running !== undefined || performance.now() < silentUntil) return;
    const controller = new AbortController();
    running = controller;
    watch(controller.signal)
      .catch(() => {
        if (controller.signal.aborted) return;
        // The listings have to be polled for a while.
        known = undefined;
        silentUntil = performance.now() + againAfterMs;
      })
      .finally(() => {
        running = undefined;
        if (isAwaited()) run();
      });
  };

  const endUnlessAwaited = (): void => {
    const current = running;
    setTimeout(() => {
      if (!isAwaited() && current === running) current?.abort(new Error('nobody waits'));
    }, lingerMs).unref();
  };

  return {
    // A question that is held has no answer yet, but the one before had.
    isAlive: (kind) => running !== undefined && known !== undefined && !missed.has(kind),
    subscribe(kind, key, listener) {
      const all = listeners[kind];
      const waiting = all.get(key) ?? new Set();
      all.set(key, waiting.add(listener));
      // What fails here is noticed by the next poll.
      if (missed.delete(kind)) void tell(kind).catch(() => undefined);
      run();
      return () => {
        waiting.delete(listener);
        if (waiting.size === 0 && all.get(key) === waiting) all.delete(key);
        if (!isAwaited()) endUnlessAwaited();
      };
    },
  };
}
