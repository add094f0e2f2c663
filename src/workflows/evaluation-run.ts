import { CancellationScope, isCancellation, setWorkflowOptions, workflowInfo } from '@temporalio/workflow';
import { needsEndpoint, sharedEndpointsOf } from '../contract/endpoint-needs';
import { failureTypes } from '../contract/failure-types';
import type { ExportPlan } from '../contract/export';
import type { Admission, RunHeader, RunInput } from '../contract/inputs/run';
import type { Packed, Row } from '../contract/packed';
import type { TaskPlan } from '../contract/plan';
import { planIn } from '../contract/run-arguments';
import type { SentSnapshot } from '../contract/sent-snapshot';
import { partsOf, type TaskError } from '../contract/state';
import { outcomeOf, verdictOf } from '../contract/verdict';
import { BatchRuns } from './batch-runs';
import { besideBatches } from './batched-result';
import { EndpointShare } from './endpoint-share';
import { describeError } from './failures';
import { fitRun } from './fitting';
import { guardRun, type Interruption } from './guards';
import { preflight } from './preflight';
import { closeRun, recordRun } from './run-end';
import { exportResults, imagesOf } from './run-exports';
import { RunProgress } from './run-progress';
import { removeRunStorage } from './run-storage';
import { SharedEndpoints } from './shared-endpoints';
import { now } from './task-progress';
import { TaskRuns } from './task-runs';
import { UnbatchedRuns } from './unbatched-runs';

/**
 * Workflow of a run: one child workflow per task, or per batch of tasks if there are many; the Ready barrier, the verdict. Completes
 * if every task succeeded; is Cancelled if it was cancelled and left nothing behind; otherwise fails with a type that says why and the
 * snapshot in its details. `rows`: of the pattern in `input`.
 */
export async function evaluationRun(input: RunInput, ...rows: readonly (readonly Row[])[]): Promise<SentSnapshot> {
  const packed = input.pattern && { pattern: input.pattern, rows: rows.flat() };
  const plan = planIn([input, ...rows]);
  const run = new EvaluationRun({ ...input, plan }, { packed, progress: new RunProgress(plan, input) });
  const root = CancellationScope.current();
  let fault: unknown;
  root.cancelRequested.catch(() => {
    run.tearDown();
    run.endExports();
  });
  try {
    await run.evaluate();
  } catch (error) {
    // The root scope, not the error, says whether the run was cancelled: a task may swallow a cancel, and a barrier may throw its own.
    if (!isCancellation(error)) fault = error;
  }
  return CancellationScope.nonCancellable(() => run.conclude({ cancelled: root.consideredCancelled, fault }));
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, evaluationRun);

class EvaluationRun {
  private readonly header: RunHeader;
  private readonly tasks: readonly TaskPlan[];
  private readonly scope = new CancellationScope();
  private readonly exports: readonly ExportPlan[];
  private readonly exportScope = new CancellationScope();
  private readonly progress: RunProgress;
  private readonly shared: SharedEndpoints;
  /** Run all tasks, of a run of few. */
  private readonly unbatched: UnbatchedRuns;
  /** Run all tasks, of a run of many. */
  private readonly batches: BatchRuns | undefined;
  private interruption: Interruption | undefined;
  /** Of the endpoints that all runs may have together; `undefined`: there is no limit, or the run creates none. */
  private share: EndpointShare | undefined;

  constructor(
    private readonly input: RunInput,
    { packed, progress }: { readonly packed: Packed<TaskPlan> | undefined; readonly progress: RunProgress },
  ) {
    const { tasks, sharedEndpoints = [], exports = [], ...header } = input.plan;
    this.tasks = tasks;
    this.exports = exports;
    this.header = header;
    this.progress = progress;
    const execution = { runId: workflowInfo().runId };
    const course = input.course ?? 'merged';
    const onSharedEnded = (position: number): void => this.share?.sharedEnded(progress.shared.at(position).left);
    this.shared = new SharedEndpoints({
      ...{ header, plans: sharedEndpoints, tasks, progress, execution },
      onEnded: onSharedEnded,
    });
    const shared = this.shared.states;
    const runs = new TaskRuns({ header, tasks, book: progress, course, execution, count: tasks.length, shared });
    const onEnded = (index: number): void => this.onEnded(index);
    this.unbatched = new UnbatchedRuns({ header, tasks, runs, progress, shared, onEnded });
    if (packed && input.isBatched)
      this.batches = new BatchRuns({
        ...{ header, tasks, packed, progress, execution, onEnded, runs, shared },
        keepsResults: this.keepsResultsInBatches,
        mostBeginning: input.mostBeginning,
      });
  }

  /** Resolves when every task has ended, on its own or cancelled. */
  async evaluate(): Promise<void> {
    const guards = new CancellationScope();
    const tasks = () => partsOf(this.progress.snapshot);
    const interrupt = (reason: Interruption) => this.interrupt(reason);
    guards
      .run(() => guardRun({ header: this.header, tasks, interrupt }))
      .catch((error: unknown) => {
        if (!isCancellation(error)) this.interrupt({ kind: 'fault', error: describeError(error) });
      });
    try {
      await this.scope.run(async () => {
        this.share = this.shareOf(await preflight(this.input));
        await this.runAll();
      });
    } finally {
      guards.cancel();
    }
  }

  /** Records the run and returns or throws its verdict. Must be called in a non-cancellable scope. */
  async conclude({
    cancelled,
    fault,
  }: {
    readonly cancelled: boolean;
    readonly fault: unknown;
  }): Promise<SentSnapshot> {
    this.endUnstarted();
    this.shared.endUnstarted();
    const closing = this.keepsResultsInBatches ? this.batches?.close() : undefined;
    if (this.share) await this.share.close();
    await removeRunStorage(this.header, { tasks: this.tasks, progress: this.progress });
    const outcome = outcomeOf(this.progress.snapshot.tasks, { cancelled });
    const { header, tasks, exports, progress } = this;
    await this.exportScope.run(() => exportResults({ header, tasks, exports, progress, outcome }));
    this.progress.conclude(outcome);
    // The verdict needs the full snapshot; the one stored in history may be shortened.
    const whole = this.progress.snapshot;
    const verdict = verdictOf(outcome, whole);
    const snapshot = fitRun(whole);
    await recordRun(this.header, { snapshot, verdict, images: imagesOf(this.tasks) });
    const { interruption } = this;
    const sent = closing ? besideBatches(whole, await closing) : snapshot;
    return closeRun({ invocation: header.invocation, verdict, whole, snapshot: sent, interruption, fault });
  }

  private get keepsResultsInBatches(): boolean {
    return this.input.keepsResultsInBatches === true;
  }

  tearDown(): void {
    this.progress.tearDown();
  }

  /** A run that is cancelled doesn't wait for its exports. */
  endExports(): void {
    this.exportScope.cancel();
  }

  private interrupt(interruption: Interruption): void {
    if (this.interruption) return;
    this.interruption = interruption;
    this.tearDown();
    this.scope.cancel();
  }

  /** Runs the tasks, and beside them what they share, until all of both has ended. */
  private async runAll(): Promise<void> {
    // Both at once: who held a judge while it waited for places could wait for somebody who does the same.
    if (this.share) await this.share.acquire();
    const serving = this.shared.run();
    const asking = this.keepAsking();
    try {
      await this.runTasks();
    } finally {
      asking.cancel();
      this.shared.release();
      await serving;
    }
  }

  private async runTasks(): Promise<void> {
    const { width } = this;
    this.progress.enter('deploying');
    for (const { index } of this.tasks.slice(width))
      this.progress.change(index, {
        message: `waits for a free place: at most ${width} at once (execution.max_parallel_endpoints)`,
      });
    await (this.batches ?? this.unbatched).run(width, this.share);
  }

  /** Without a barrier a run takes endpoints as they come. A fault ends it: its tasks would wait for ever. */
  private keepAsking(): CancellationScope {
    const asking = new CancellationScope();
    const { share } = this;
    if (share && this.header.startPolicy === 'as_ready')
      asking
        .run(() => share.keepAsking())
        .catch((error: unknown) => {
          if (!isCancellation(error)) this.interrupt({ kind: 'fault', error: describeError(error) });
        });
    return asking;
  }

  private shareOf({ maxEndpoints }: Admission): EndpointShare | undefined {
    const { header, tasks, progress } = this;
    const { sharedEndpoints: shared = [] } = this.input.plan;
    const isFree = !tasks.some(needsEndpoint) && sharedEndpointsOf(this.input.plan) === 0;
    if (maxEndpoints === undefined || isFree) return undefined;
    return new EndpointShare({ header, tasks, shared, onWait: (message) => progress.wait(message, this.width) });
  }

  /** How many tasks may run at the same time, whatever endpoints there are. */
  private get width(): number {
    return this.header.maxParallelEndpoints ?? this.tasks.length;
  }

  private onEnded(index: number): void {
    const { outcome, left } = this.progress.task(index);
    this.share?.ended(index, left);
    if (outcome === 'failed' && this.header.onTaskFailure === 'abort') this.interrupt({ kind: 'sibling', index });
  }

  /** Ends the tasks that never started, and records why tasks were cancelled. */
  private endUnstarted(): void {
    const error = this.interruption?.kind === 'sibling' ? this.abortedBy(this.interruption.index) : null;
    for (const task of this.progress.snapshot.tasks) {
      if (task.outcome === null)
        this.progress.change(task.index, {
          phase: 'done',
          outcome: 'cancelled',
          message: null,
          endedAt: now(),
          error,
        });
      else if (task.outcome === 'cancelled' && task.error === null) this.progress.change(task.index, { error });
    }
  }

  private abortedBy(index: number): TaskError {
    const { name } = this.progress.task(index);
    return {
      type: failureTypes.aborted,
      message: `ended because task ${index} (${name}) failed and execution.on_task_failure is abort`,
    };
  }
}
