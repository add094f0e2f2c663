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
import type { BatchResult } from './batched-result';
import { evaluationBatch } from './evaluation-batch';
import type { RunProgress } from './run-progress';
import type { SharedStates } from './shared-states';
import { StartWindow } from './start-window';
import { settleAll, type TaskRuns } from './task-runs';
import { untilGone } from './task-starts';

export interface BatchesOptions {
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
export interface Batch {
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
 * The batches of a run, each a child workflow whose children are the tasks. What a batch may do is told by bounds that only grow. A batch
 * begins with the first of them, in its turn.
 */
export class Batches {
  readonly all: readonly Batch[];
  private readonly window: StartWindow;
  private readonly pace: BatchPace | undefined;
  private readonly over = new Set<number>();
  /** Tasks whose end was told. */
  private readonly told = new Set<number>();

  constructor(private readonly options: BatchesOptions) {
    const { tasks, progress, packed, header } = options;
    const last = tasks.length === 0 ? -1 : batchOf(tasks.length - 1);
    this.all = Array.from({ length: last + 1 }, (_, number) => batchAt(number, tasks.length));
    const common = JSON.stringify(header).length + JSON.stringify(packed.pattern).length;
    const largestRow = Math.max(0, ...packed.rows.map((row) => JSON.stringify(row).length));
    this.window = new StartWindow(common + largestRow * Math.min(tasksPerBatch, tasks.length));
    const { mostBeginning: most } = options;
    if (most !== undefined) this.pace = new BatchPace({ most, task: (index) => progress.task(index) });
    progress.onBatchNews = ({ batch, decided, tasks: told }) => {
      const known = this.all[batch];
      if (!known) return;
      known.decided = Math.max(known.decided, decided);
      for (const { index } of told) this.note(index);
    };
  }

  /** Tasks that have not ended, of batches that are not over. */
  get left(): number {
    return this.all.reduce((sum, batch) => sum + (this.isOver(batch) ? 0 : batch.remaining), 0);
  }

  isOver({ number }: Batch): boolean {
    return this.over.has(number);
  }

  /** Whether its tasks with a lower index than `to` have ended. */
  hasEnded({ first, end }: Batch, to: number): boolean {
    const { progress } = this.options;
    for (let index = first; index < Math.min(end, to); index += 1) if (!progress.isAccounted(index)) return false;
    return true;
  }

  /** Lets a batch do more; starts it if it does not run yet. */
  allow(batch: Batch, more: Partial<BatchBounds>): void {
    batch.bounds = { ...batch.bounds, ...more };
    batch.running ??= this.drive(batch);
  }

  /** Resolves when the tasks of a batch have ended; the batch itself may stay open for the run's end. */
  async untilDone(batch: Batch): Promise<void> {
    if (!this.options.keepsResults) return batch.running;
    if (batch.running) await condition(() => batch.remaining === 0 || this.isOver(batch));
  }

  /** Has the batches close that keep results, and returns these. Must be called in a non-cancellable scope. */
  async close(): Promise<readonly BatchResult[]> {
    const open = this.all.filter((batch) => batch.running !== undefined);
    for (const batch of open) if (!this.isOver(batch)) this.allow(batch, { isOver: true });
    await settleAll(open.flatMap(({ running }) => running ?? []));
    return open.flatMap(({ result }) => result ?? []);
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
    // An older run, which has none, must not wait even for a moment.
    if (this.pace) await this.pace.turn(() => this.options.tasks.slice(first, Math.min(end, batch.bounds.start)));
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
    const batch = this.all[batchOf(index)];
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
