import { CancellationScope, condition } from '@temporalio/workflow';
import { batchOf } from '../contract/identity';
import { placesAfter } from './batch-places';
import type { BatchResult } from './batched-result';
import { Batches, type BatchesOptions } from './batches';
import type { EndpointShare } from './endpoint-share';
import { settleAll } from './task-runs';

/**
 * Runs a run's tasks in batches, as the start policy says. The run keeps what concerns all tasks: the barrier, the number of places, the
 * limits.
 */
export class BatchRuns {
  private readonly batches: Batches;

  constructor(private readonly options: BatchesOptions) {
    this.batches = new Batches(options);
  }

  /**
   * Resolves when all tasks have ended. At most `width` run at the same time, and no more than the run's share allows. Cancelling the
   * scope cancels all batches.
   */
  async run(width: number, share?: EndpointShare): Promise<void> {
    const isRolling = this.options.header.startPolicy === 'as_ready';
    try {
      if (!isRolling) await this.waves(width, share);
      else await (share ? this.metered(width, share) : this.rolling(width));
    } finally {
      // Also after a cancel: batches end when their tasks are torn down.
      await CancellationScope.nonCancellable(() =>
        settleAll(this.batches.all.map((batch) => this.batches.untilDone(batch))),
      );
    }
  }

  /** Has the batches close that keep results, and returns these. Must be called in a non-cancellable scope, after `run`. */
  close(): Promise<readonly BatchResult[]> {
    return this.batches.close();
  }

  /** Each wave has its own barrier. */
  private async waves(width: number, share: EndpointShare | undefined): Promise<void> {
    const count = this.options.tasks.length;
    for (let from = 0; from < count; from += width) {
      const to = Math.min(count, from + width);
      if (share) await share.acquireWave(from, to);
      for (let index = from; index < to; index += 1) share?.begin(index);
      const wave = this.batches.all.filter(({ first, end }) => first < to && end > from);
      for (const batch of wave) this.batches.allow(batch, { start: to, places: count });
      await condition(() =>
        wave.every((batch) => batch.decided >= Math.min(to, batch.end) || this.batches.isOver(batch)),
      );
      this.options.progress.evaluating();
      for (const batch of wave) this.batches.allow(batch, { open: to });
      await condition(() => wave.every((batch) => this.batches.isOver(batch) || this.batches.hasEnded(batch, to)));
    }
  }

  private async rolling(width: number): Promise<void> {
    this.awaitFirstReady();
    const count = this.options.tasks.length;
    for (;;) {
      const places = placesAfter(
        this.batches.all.map((batch) => ({
          size: batch.end - batch.first,
          places: batch.bounds.places,
          remaining: this.batches.isOver(batch) ? 0 : batch.remaining,
        })),
        width,
      );
      for (const batch of this.batches.all) {
        const granted = places[batch.number] ?? 0;
        if (granted > batch.bounds.places) this.batches.allow(batch, { start: count, places: granted });
      }
      const before = this.batches.left;
      if (before === 0) return;
      await condition(() => this.batches.left !== before);
    }
  }

  /**
   * The same where endpoints are limited. The run says which tasks may begin, one by one: places that a batch was given it could not
   * give back.
   */
  private async metered(width: number, share: EndpointShare): Promise<void> {
    this.awaitFirstReady();
    const { tasks } = this.options;
    const isLost = (index: number): boolean => {
      const batch = this.batches.all[batchOf(index)];
      return batch === undefined || this.batches.isOver(batch);
    };
    for (let next = 0; ;) {
      const ended = (): number => tasks.length - this.batches.left;
      // Those of a batch that was terminated count as ended, begun or not.
      const mayBegin = (): boolean =>
        next < tasks.length && (isLost(next) || (next - ended() < width && share.mayBegin(next)));
      while (mayBegin()) {
        if (!isLost(next)) share.begin(next);
        next += 1;
      }
      for (const batch of this.batches.all) {
        const start = Math.min(next, batch.end);
        const isMore = start > Math.max(batch.first, batch.bounds.start);
        if (isMore && !this.batches.isOver(batch))
          this.batches.allow(batch, { start, places: batch.end - batch.first });
      }
      if (this.batches.left === 0) return;
      await condition(() => this.batches.left === 0 || mayBegin());
    }
  }

  private awaitFirstReady(): void {
    const { progress } = this.options;
    const evaluating = condition(() => progress.hasReady).then(() => progress.evaluating());
    evaluating.catch(() => undefined);
  }
}
