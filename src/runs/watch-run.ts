import type { Client } from '@temporalio/client';
import type { RunSnapshot } from '../contract/state';
import type { HomePaths } from '../home/paths';
import { ClosingWait } from './closing-wait';
import { describe } from './describe';
import type { RunDescription } from './run-description';

/** A run of more tasks is asked less often: each answer costs its worker, and this process, time in proportion to them. */
const tasksPerInterval = 50;
/** Milliseconds to which the interval grows with the number of tasks. The end is noticed at once all the same. */
const longestIntervalMs = 4_000;

export interface WatchPace {
  /** Milliseconds between two looks, and at the end of the run at once. */
  readonly intervalMs: number;
  /**
   * The interval to which it grows while nothing changes. Each look is a query, which Temporal Cloud bills. Default: it doesn't grow.
   */
  readonly quietMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Yields a description whenever it changes, looking every `intervalMs` and at the end of the run; the last one when the run has closed.
 * Returns early when aborted.
 */
export async function* watchRun(
  client: Client,
  invocation: string,
  home: HomePaths,
  options: WatchPace,
): AsyncGenerator<RunDescription> {
  const { intervalMs: quickMs, quietMs = quickMs } = options;
  let last = '';
  let paceMs = quickMs;
  let lastKnown: RunSnapshot | undefined;
  const closing = new ClosingWait();
  try {
    while (!options.signal.aborted) {
      const description = await describe(client, { invocation, home, lastKnown, isFinal: false });
      if (!description.isUnanswered) lastKnown = description.snapshot;
      const current = JSON.stringify(description);
      paceMs = current === last ? Math.min(quietMs, paceMs * 1.5) : quickMs;
      if (current !== last) yield description;
      if (description.status !== 'running') return;
      last = current;
      const grown = Math.min(longestIntervalMs, paceMs * (description.snapshot.tasks.length / tasksPerInterval));
      const intervalMs = Math.max(paceMs, grown);
      await closing.orAfter(client, invocation, { ...options, intervalMs });
    }
  } finally {
    closing.forget();
  }
}
