import { type Client, WorkflowFailedError } from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { runWorkflowId } from '../contract/identity';
import type { RunSnapshot } from '../contract/state';
import type { HomePaths } from '../home/paths';
import { describe, type RunDescription } from './describe';

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

/** Waits for the end of a run with one held request to Temporal, which costs nothing while the run continues. */
class ClosingWait {
  private readonly asking = new AbortController();
  private isAsked = false;
  /** It has closed since the last wait ended. */
  private isNews = false;
  private wake: (() => void) | undefined;

  /** Resolves when the run has closed, after `intervalMs`, or when the signal aborts. */
  async orAfter(
    client: Client,
    invocation: string,
    { intervalMs, signal }: { readonly intervalMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    if (!this.isAsked) this.ask(client, invocation);
    if (this.isNews) return void (this.isNews = false);
    const pause = new AbortController();
    this.wake = () => pause.abort();
    signal.addEventListener('abort', this.wake, { once: true });
    await sleep(intervalMs, undefined, { signal: pause.signal }).catch(() => undefined);
    signal.removeEventListener('abort', this.wake);
    this.wake = undefined;
  }

  forget(): void {
    this.asking.abort();
  }

  private ask(client: Client, invocation: string): void {
    this.isAsked = true;
    const result = () => client.workflow.getHandle(runWorkflowId(invocation)).result();
    const isOver = client.withAbortSignal(this.asking.signal, result).then(
      () => true,
      (error: unknown) => error instanceof WorkflowFailedError,
    );
    void isOver.then((over) => {
      // After an outage the next look asks again.
      if (!over) this.isAsked = false;
      else if (this.wake) this.wake();
      else this.isNews = true;
    });
  }
}
