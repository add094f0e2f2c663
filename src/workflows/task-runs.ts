import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import { runOf } from '../contract/endpoint-plans';
import type { RunHeader } from '../contract/inputs/run';
import { sharedEndpointLost, startJob } from '../contract/messages';
import type { TaskPlan } from '../contract/plan';
import { resultsPlaceOf } from '../contract/results-place';
import type { LeftResource, TaskSnapshot } from '../contract/state';
import { takeOver, takenOver } from './earlier-tasks';
import { describeError, snapshotOf } from './failures';
import type { TaskBook, TaskRunsOptions } from './task-book';
import { hasBarrier } from './task-owner';
import { endSpan, now } from './task-progress';
import { TaskStarts, type TaskHandle } from './task-starts';
import { TaskTeardown, type TeardownOutcome } from './task-teardown';
import { teardownReport } from './teardown-report';

/** Runs tasks as child workflows of the current one, and tears down for those that end without having done so. */
export class TaskRuns {
  private readonly header: RunHeader;
  private readonly book: TaskBook;
  private readonly starts: TaskStarts;

  constructor(private readonly options: TaskRunsOptions) {
    this.header = options.header;
    this.book = options.book;
    this.starts = new TaskStarts(options);
  }

  /** Runs one task to its end. Never rejects on a failed task. */
  async run(task: TaskPlan, mayStartJob: () => boolean): Promise<void> {
    const earlier = takenOver(task);
    try {
      const last = earlier ? await takeOver(this.header, task, earlier) : await this.runChild(task, mayStartJob);
      this.book.account(task.index);
      this.book.put(last);
    } catch (error) {
      await CancellationScope.nonCancellable(() => this.account(task, error));
    }
  }

  /** Records a task whose workflow is gone without having reported, and removes its resources by their known names. */
  async tearDownLost(task: TaskPlan, error: unknown): Promise<void> {
    const { index } = task;
    this.book.change(index, { phase: 'tearing down', outcome: 'failed', error: describeError(error) });
    const teardown = await this.tearDownFor(task);
    const { left, results } = teardown;
    this.book.change(index, {
      phase: 'done',
      endedAt: now(),
      ...teardownReport(teardown),
      ...((results?.files ?? 0) > 0 ? { outputDir: `${resultsPlaceOf(this.header)}/${task.folder}` } : {}),
      ...this.usageWithout(index, left),
    });
  }

  private async runChild(task: TaskPlan, mayStartJob: () => boolean): Promise<TaskSnapshot> {
    const child = await this.starts.start(task, (message) => this.book.change(task.index, { message }));
    this.book.presume(task.index, 'creating endpoint', 'pending');
    const opening = this.openWhen(child, task, () => mayStartJob() && this.book.isReady(task.index));
    const losing = this.tellLoss(child, task);
    try {
      return await child.result();
    } finally {
      opening.cancel();
      losing.cancel();
    }
  }

  /** Tells the task when a shared endpoint that it uses is lost. Cancelling the returned scope ends the wait. */
  private tellLoss(child: TaskHandle, task: TaskPlan): CancellationScope {
    const scope = new CancellationScope();
    if (task.uses === undefined) return scope;
    void scope
      .run(async () => {
        const { shared } = this.options;
        await condition(() => shared.lossFor(task) !== undefined);
        const loss = shared.lossFor(task);
        if (loss) await child.signal(sharedEndpointLost, loss);
      })
      .catch(() => undefined);
    return scope;
  }

  /** Lets the task submit its job once `open` holds. Cancelling the returned scope ends the wait. */
  private openWhen(child: TaskHandle, task: TaskPlan, open: () => boolean): CancellationScope {
    const scope = new CancellationScope();
    void scope
      .run(async () => {
        const { shared, course } = this.options;
        await condition(() => open() && shared.areReadyFor(task));
        if (this.header.startPolicy === 'as_ready') this.book.evaluating();
        if (task.uses !== undefined) await child.signal(startJob, shared.urlsFor(task));
        else if (hasBarrier({ run: this.header, course, task })) await child.signal(startJob);
        this.book.presume(task.index, 'submitting job', 'ready');
      })
      .catch(() => undefined);
    return scope;
  }

  /** Records the final snapshot of a task that did not succeed; tears down for one that ended without reporting. */
  private async account(task: TaskPlan, error: unknown): Promise<void> {
    const { index } = task;
    this.book.account(index);
    const reported = snapshotOf(error);
    if (reported) return this.book.put(reported);
    if (!isCancellation(error)) return this.tearDownLost(task, error);
    const { phase, message, endedAt } = this.book.task(index);
    this.book.change(index, {
      phase: 'done',
      outcome: 'cancelled',
      // The last message of a task that has reported its end says what became of its logs; an earlier one is out of date.
      message: phase === 'done' ? message : null,
      endedAt: endedAt ?? now(),
    });
  }

  private usageWithout(index: number, left: readonly LeftResource[]): Pick<TaskSnapshot, 'usage'> {
    const { usage } = this.book.task(index);
    if (!usage) return {};
    const removed = (['endpoint', 'job'] as const).filter((what) => !left.some(({ kind }) => kind === what));
    return { usage: removed.reduce((spans, what) => endSpan(spans, what), usage) };
  }

  private async tearDownFor(task: TaskPlan): Promise<TeardownOutcome> {
    const teardown = new TaskTeardown({ run: runOf(this.header, task), task });
    if (task.endpointName !== null) teardown.coverEndpoint(task.endpointName);
    teardown.coverJob();
    return teardown.run({ hasSucceeded: false });
  }
}

/** Waits for all to settle, then rethrows the first rejection: nothing may still be running during compensation. */
export async function settleAll(running: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(running);
  const rejected = results.find((result): result is PromiseRejectedResult => result.status === 'rejected');
  if (rejected) throw rejected.reason;
}
