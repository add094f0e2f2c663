import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  condition,
  isCancellation,
  ParentClosePolicy,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { batchOf, batchWorkflowId, taskWorkflowId, tasksPerBatch } from '../contract/identity';
import type { RunExecution, RunHeader } from '../contract/inputs/run';
import type { BatchBounds, BatchInput } from '../contract/inputs/task';
import { advance, sharedEndpointsChanged } from '../contract/messages';
import type { Packed } from '../contract/packed';
import type { TaskPlan } from '../contract/plan';
import type { SharedState } from '../contract/state';
import { BatchPace } from './batch-pace';
import { placesAfter } from './batch-places';
import type { EndpointShare } from './endpoint-share';
import type { BatchResult } from './batched-result';
import { evaluationBatch } from './evaluation-batch';
import type { RunProgress } from './run-progress';
import type { SharedStates } from './shared-states';
import { StartWindow } from './start-window';
import { settleAll, type TaskRuns } from './task-runs';
import { untilGone } from './task-starts';

export interface BatchRunsOptions {
  readonly header: RunHeader;
  readonly tasks: readonly TaskPlan[];
  readonly packed: Packed<TaskPlan>;
  readonly progress: RunProgress;
  readonly execution: RunExecution;
  /** Called once for each task that has ended. */
  readonly onEnded: (index: number) => void;
  /** Tears down for the tasks of a batch that was terminated. */
  readonly runs: TaskRuns;
  readonly shared: SharedStates;
  /** See `RunInput.keepsResultsInBatches`. */
  readonly keepsResults: boolean;
  /** See `RunInput.mostBeginning`. */
  readonly mostBeginning: number | undefined;
}

/** One batch as its run sees it. */
interface Batch {
  readonly number: number;
  /** Index of its first task, and of the one after its last. */
  readonly first: number;
  readonly end: number;
  bounds: BatchBounds;
  /** See `BatchNews`. */
  decided: number;
  /** Tasks that have not ended. */
  remaining: number;
  running: Promise<void> | undefined;
  result: BatchResult | undefined;
}

/** How many tasks of a terminated batch are torn down at once. */
const lostAtOnce = 20;

/**
 * Runs a run's tasks in batches, each a child workflow whose children are the tasks. The run keeps what concerns all tasks: the
 * barrier, the number of places, the limits. What a batch may do is told by bounds that only grow.
 */
export class BatchRuns {
  private readonly batches: readonly Batch[];
  private readonly window: StartWindow;
  private readonly pace: BatchPace;
  private readonly over = new Set<number>();
  /** Tasks whose end was told. */
  private readonly told = new Set<number>();

  constructor(private readonly options: BatchRunsOptions) {
    const { tasks, progress, packed, header } = options;
    const last = tasks.length === 0 ? -1 : batchOf(tasks.length - 1);
    this.batches = Array.from({ length: last + 1 }, (_, number) => batchAt(number, tasks.length));
    const common = JSON.stringify(header).length + JSON.stringify(packed.pattern).length;
    const largestRow = Math.max(0, ...packed.rows.map((row) => JSON.stringify(row).length));
    this.window = new StartWindow(common + largestRow * Math.min(tasksPerBatch, tasks.length));
    this.pace = new BatchPace({ most: options.mostBeginning, task: (index) => progress.task(index) });
    progress.onBatchNews = ({ batch, decided, tasks: told }) => {
      const known = this.batches[batch];
      if (!known) return;
      known.decided = Math.max(known.decided, decided);
      for (const { index } of told) this.note(index);
    };
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
      await CancellationScope.nonCancellable(() => settleAll(this.batches.map((batch) => this.untilDone(batch))));
    }
  }

  /** Has the batches close that keep results, and returns these. Must be called in a non-cancellable scope, after `run`. */
  async close(): Promise<readonly BatchResult[]> {
    const open = this.batches.filter((batch) => batch.running !== undefined);
    for (const batch of open) if (!this.isOver(batch)) this.allow(batch, { isOver: true });
    await settleAll(open.flatMap(({ running }) => running ?? []));
    return open.flatMap(({ result }) => result ?? []);
  }

  /** Resolves when the tasks of a batch have ended; the batch itself may stay open for the run's end. */
  private async untilDone(batch: Batch): Promise<void> {
    if (!this.options.keepsResults) return batch.running;
    if (batch.running) await condition(() => batch.remaining === 0 || this.isOver(batch));
  }

  /** Each wave has its own barrier. */
  private async waves(width: number, share: EndpointShare | undefined): Promise<void> {
    const count = this.options.tasks.length;
    for (let from = 0; from < count; from += width) {
      const to = Math.min(count, from + width);
      if (share) await share.acquireWave(from, to);
      for (let index = from; index < to; index += 1) share?.begin(index);
      const wave = this.batches.filter(({ first, end }) => first < to && end > from);
      for (const batch of wave) this.allow(batch, { start: to, places: count });
      await condition(() => wave.every((batch) => batch.decided >= Math.min(to, batch.end) || this.isOver(batch)));
      this.options.progress.evaluating();
      for (const batch of wave) this.allow(batch, { open: to });
      await condition(() => wave.every((batch) => this.isOver(batch) || this.hasEnded(batch, to)));
    }
  }

  private async rolling(width: number): Promise<void> {
    this.awaitFirstReady();
    const count = this.options.tasks.length;
    for (;;) {
      const places = placesAfter(
        this.batches.map((batch) => ({
          size: batch.end - batch.first,
          places: batch.bounds.places,
          remaining: this.isOver(batch) ? 0 : batch.remaining,
        })),
        width,
      );
      for (const batch of this.batches) {
        const granted = places[batch.number] ?? 0;
        if (granted > batch.bounds.places) this.allow(batch, { start: count, places: granted });
      }
      const before = this.left;
      if (before === 0) return;
      await condition(() => this.left !== before);
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
      const batch = this.batches[batchOf(index)];
      return batch === undefined || this.isOver(batch);
    };
    for (let next = 0; ;) {
      const ended = (): number => tasks.length - this.left;
      // Those of a batch that was terminated count as ended, begun or not.
      const mayBegin = (): boolean =>
        next < tasks.length && (isLost(next) || (next - ended() < width && share.mayBegin(next)));
      while (mayBegin()) {
        if (!isLost(next)) share.begin(next);
        next += 1;
      }
      for (const batch of this.batches) {
        const start = Math.min(next, batch.end);
        const isMore = start > Math.max(batch.first, batch.bounds.start);
        if (isMore && !this.isOver(batch)) this.allow(batch, { start, places: batch.end - batch.first });
      }
      if (this.left === 0) return;
      await condition(() => this.left === 0 || mayBegin());
    }
  }

  private awaitFirstReady(): void {
    const { progress } = this.options;
    const evaluating = condition(() => progress.hasReady).then(() => progress.evaluating());
    evaluating.catch(() => undefined);
  }

  /** Tasks that have not ended, of batches that are not over. */
  private get left(): number {
    return this.batches.reduce((sum, batch) => sum + (this.isOver(batch) ? 0 : batch.remaining), 0);
  }

  private isOver({ number }: Batch): boolean {
    return this.over.has(number);
  }

  private hasEnded({ first, end }: Batch, to: number): boolean {
    const { progress } = this.options;
    for (let index = first; index < Math.min(end, to); index += 1) if (!progress.isAccounted(index)) return false;
    return true;
  }

  /** Lets a batch do more; starts it if it does not run yet. */
  private allow(batch: Batch, more: Partial<BatchBounds>): void {
    batch.bounds = { ...batch.bounds, ...more };
    batch.running ??= this.drive(batch);
  }

  /** Runs a batch to its end. Never rejects: its tasks say how they ended. */
  private async drive(batch: Batch): Promise<void> {
    try {
      await this.runChild(batch);
    } catch (error) {
      if (!isCancellation(error)) await CancellationScope.nonCancellable(() => this.accountLost(batch, error));
    } finally {
      this.over.add(batch.number);
    }
  }

  private async runChild(batch: Batch): Promise<void> {
    const { first, end } = batch;
    await this.pace.turn(() => this.options.tasks.slice(first, Math.min(end, batch.bounds.start)));
    let told = batch.bounds;
    const child = await this.start(batch);
    const telling = new CancellationScope();
    void telling
      .run(async () => {
        for (;;) {
          await condition(() => batch.bounds !== told);
          told = batch.bounds;
          await child.signal(advance, told);
        }
      })
      .catch(() => undefined);
    void telling.run(() => this.tellShared(child)).catch(() => undefined);
    try {
      const sent = await child.result();
      if (sent) batch.result = { batch: batch.number, runId: child.firstExecutionRunId, sent };
    } finally {
      telling.cancel();
    }
  }

  /** Tells a batch how the run's shared endpoints are, whenever that changes. */
  private async tellShared(child: ChildWorkflowHandle<typeof evaluationBatch>): Promise<void> {
    const { shared } = this.options;
    for (let told: readonly SharedState[] | undefined; shared.all.length > 0;) {
      await condition(() => shared.all !== told);
      told = shared.all;
      await child.signal(sharedEndpointsChanged, told);
    }
  }

  /** Starts the batch's workflow, after the end of an earlier one of a run that was reset. */
  private async start(batch: Batch): Promise<ChildWorkflowHandle<typeof evaluationBatch>> {
    for (;;) {
      try {
        return await this.window.during(() => this.startChild(batch));
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        await untilGone(batchWorkflowId(this.options.header.invocation, batch.number));
      }
    }
  }

  private startChild(batch: Batch): Promise<ChildWorkflowHandle<typeof evaluationBatch>> {
    const { header, packed, execution, shared, keepsResults } = this.options;
    const { number, first, end, bounds } = batch;
    const tasks = { pattern: packed.pattern, rows: packed.rows.slice(first, end) };
    const keeping = keepsResults ? { keepsResults } : {};
    const input: BatchInput = { batch: number, run: header, tasks, execution, bounds, ...sharedIn(shared), ...keeping };
    return startChild(evaluationBatch, {
      workflowId: batchWorkflowId(header.invocation, number),
      args: [input],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: `Tasks ${first} to ${end - 1}`,
    });
  }

  private note(index: number): void {
    const batch = this.batches[batchOf(index)];
    if (!batch || !this.options.progress.isAccounted(index)) return;
    batch.remaining = this.countOpen(batch);
    this.tellEnded(index);
  }

  /** News of a batch may be of many tasks that have ended, and come again. */
  private tellEnded(index: number): void {
    if (this.told.has(index)) return;
    this.told.add(index);
    this.options.onEnded(index);
  }

  private countOpen({ first, end }: Batch): number {
    let open = 0;
    for (let index = first; index < end; index += 1) if (!this.options.progress.isAccounted(index)) open += 1;
    return open;
  }

  /** Does what a terminated batch can't: its tasks tear down by themselves, and what they did not report is made sure of. */
  private async accountLost(batch: Batch, error: unknown): Promise<void> {
    const { progress, tasks, runs, header } = this.options;
    const lost = tasks.slice(batch.first, batch.end).filter(({ index }) => !progress.isAccounted(index));
    const lane = async (): Promise<void> => {
      for (let task = lost.shift(); task; task = lost.shift()) {
        const { index } = task;
        await untilGone(taskWorkflowId(header.invocation, index));
        progress.account(index);
        await runs.tearDownLost(task, error);
        this.tellEnded(index);
      }
    };
    await Promise.all(Array.from({ length: Math.min(lostAtOnce, lost.length) }, lane));
    batch.remaining = 0;
  }
}

const sharedIn = ({ all }: SharedStates): Pick<BatchInput, 'shared'> => (all.length === 0 ? {} : { shared: all });

function batchAt(number: number, count: number): Batch {
  const first = number * tasksPerBatch;
  const end = Math.min(first + tasksPerBatch, count);
  const bounds = { start: 0, places: 0, open: 0 };
  return { number, first, end, bounds, decided: 0, remaining: end - first, running: undefined, result: undefined };
}
