import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  ChildWorkflowCancellationType,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  patched,
  setWorkflowOptions,
  sleep,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { failureTypes } from '../contract/failure-types';
import { taskWorkflowId } from '../contract/identity';
import type { RunHeader, RunInput } from '../contract/inputs';
import { startJob } from '../contract/messages';
import type { TaskPlan } from '../contract/plan';
import type { LeftResource, RunSnapshot, TaskError, TaskSnapshot } from '../contract/state';
import { outcomeOf, verdictOf } from '../contract/verdict';
import { insist, untilHeard } from './activity-groups';
import { evaluationTask } from './evaluation-task';
import { plainWords } from '../contract/details';
import { describeError, snapshotOf } from './failures';
import { cut, fitRun, leftText } from './fitting';
import { guardRun, whyInterrupted, type Interruption } from './guards';
import { newsOfTask } from './signal-budget';
import { RunProgress } from './run-progress';
import { StartWindow } from './start-window';
import { endSpan, now } from './task-progress';
import { TaskTeardown, type WoundUp } from './task-teardown';

/**
 * A run: one task workflow per task, the Ready barrier, the verdict. Completed means that every task succeeded; Cancelled:
 * cancelled, and nothing left; Failed: the type says why, and the details hold the snapshot.
 */
export async function evaluationRun(input: RunInput): Promise<RunSnapshot> {
  const run = new EvaluationRun(input, new RunProgress(input));
  const root = CancellationScope.current();
  let fault: unknown;
  root.cancelRequested.catch(() => run.tearDown());
  try {
    await run.evaluate();
  } catch (error) {
    // Cancels are told by their reason, not by who threw: a task may swallow one, a barrier may throw for another.
    if (!isCancellation(error)) fault = error;
  }
  return CancellationScope.nonCancellable(() => run.conclude({ cancelled: root.consideredCancelled, fault }));
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, evaluationRun);

class EvaluationRun {
  private readonly header: RunHeader;
  private readonly tasks: readonly TaskPlan[];
  private readonly scope = new CancellationScope();
  private readonly starts: StartWindow;
  private readonly news: number;
  private interruption: Interruption | undefined;

  constructor(
    input: RunInput,
    private readonly progress: RunProgress,
  ) {
    const { tasks, ...header } = input.plan;
    this.tasks = tasks;
    this.header = header;
    this.starts = new StartWindow(header, tasks);
    this.news = newsOfTask({ tasks: tasks.length, isCounted: Boolean(header.budget) });
  }

  /** Ends when every task has ended, by itself or by a cancel. */
  async evaluate(): Promise<void> {
    const guards = new CancellationScope();
    const tasks = () => this.progress.snapshot.tasks;
    const interrupt = (reason: Interruption) => this.interrupt(reason);
    guards
      .run(() => guardRun({ header: this.header, tasks, interrupt }))
      .catch((error: unknown) => {
        if (!isCancellation(error)) this.interrupt({ kind: 'fault', error: describeError(error) });
      });
    try {
      await this.scope.run(() => this.runTasks());
    } finally {
      guards.cancel();
    }
  }

  /** Records the run and closes it with its verdict. Called in a non-cancellable scope. */
  async conclude({ cancelled, fault }: { readonly cancelled: boolean; readonly fault: unknown }): Promise<RunSnapshot> {
    this.endUnstarted();
    await this.removeRunStorage();
    const outcome = outcomeOf(this.progress.snapshot.tasks, { cancelled });
    this.progress.conclude(outcome);
    // Judged as a whole: what history takes of a large run may be less.
    const whole = this.progress.snapshot;
    const verdict = verdictOf(outcome, whole);
    const snapshot = fitRun(whole);
    try {
      await untilHeard(120, (seconds) =>
        insist('write run.json', seconds).recordRun({ run: withoutEndpoint(this.header), snapshot, outcome: verdict }),
      );
    } catch {
      // The record is for people; every result is home already, and history has the verdict.
    }
    switch (verdict) {
      case 'succeeded':
        return snapshot;
      case 'cancelled':
        throw new CancelledFailure('the run was cancelled and left nothing behind');
      case 'teardown incomplete': {
        const advice = `Finish with: evalsaga cleanup ${this.header.invocation}`;
        throw failed(failureTypes.teardownIncomplete, `left behind: ${leftText(whole.left)}. ${advice}`, snapshot);
      }
      case 'failed':
        return this.fail(snapshot, { tasks: whole.tasks, fault });
    }
  }

  private fail(
    snapshot: RunSnapshot,
    { tasks, fault }: { readonly tasks: readonly TaskSnapshot[]; readonly fault: unknown },
  ): RunSnapshot {
    const reason = this.interruption && whyInterrupted(this.interruption, tasks);
    if (reason) throw failed(reason.type, reason.message, snapshot);
    if (fault !== undefined) {
      const { type, message } = describeError(fault);
      throw failed(type, message, snapshot);
    }
    // 2026-11-28: until then such runs completed.
    if (patched('failed-tasks-fail-the-run')) throw failed(failureTypes.tasksFailed, failedText(tasks), snapshot);
    return snapshot;
  }

  tearDown(): void {
    this.progress.tearDown();
  }

  private interrupt(interruption: Interruption): void {
    if (this.interruption) return;
    this.interruption = interruption;
    this.tearDown();
    this.scope.cancel();
  }

  /** `all_ready` goes in waves of `max_parallel_endpoints`, each with its own barrier; `as_ready` keeps the window full. */
  private async runTasks(): Promise<void> {
    const width = this.header.maxParallelEndpoints ?? this.tasks.length;
    this.progress.enter('deploying');
    if (this.header.startPolicy === 'as_ready') return this.rolling(width);
    for (let from = 0; from < this.tasks.length; from += width) await this.wave(this.tasks.slice(from, from + width));
  }

  private async wave(tasks: readonly TaskPlan[]): Promise<void> {
    let open = false;
    const running = tasks.map((task) => this.runTask(task, () => open));
    const decided = ({ index }: TaskPlan) => this.progress.isReady(index) || this.progress.task(index).outcome !== null;
    const barrier = condition(() => tasks.every(decided)).then(() => {
      open = true;
      this.progress.enter('evaluating');
    });
    await settleAll([...running, barrier]);
  }

  private async rolling(width: number): Promise<void> {
    const queue = [...this.tasks];
    const lane = async (): Promise<void> => {
      for (let task = queue.shift(); task; task = queue.shift()) {
        const { index } = task;
        await this.runTask(task, () => this.progress.isReady(index));
      }
    };
    await settleAll(Array.from({ length: Math.min(width, queue.length) }, lane));
  }

  /** Runs one task to its end, whatever that is. */
  private async runTask(task: TaskPlan, mayStart: () => boolean): Promise<void> {
    try {
      const last = await this.runChild(task, mayStart);
      this.progress.account(task.index);
      this.progress.put(last);
    } catch (error) {
      await CancellationScope.nonCancellable(() => this.account(task, error));
    }
    const { outcome } = this.progress.task(task.index);
    if (outcome === 'failed' && this.header.onTaskFailure === 'abort')
      this.interrupt({ kind: 'sibling', index: task.index });
  }

  private async runChild(task: TaskPlan, mayStart: () => boolean): Promise<TaskSnapshot> {
    const child = await this.startTask(task);
    const opening = this.openWhen(child, () => mayStart() && this.progress.isReady(task.index));
    try {
      return await child.result();
    } finally {
      opening.cancel();
    }
  }

  private async startTask(task: TaskPlan): Promise<ChildWorkflowHandle<typeof evaluationTask>> {
    const workflowId = taskWorkflowId(this.header.invocation, task.index);
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.starts.during(() =>
          startChild(evaluationTask, {
            workflowId,
            args: [{ run: this.header, task, news: this.news }],
            parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
            cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            staticSummary: plainWords(`Task ${task.index}: ${task.name}`),
          }),
        );
      } catch (error) {
        // 2026-11-28
        if (!(error instanceof WorkflowExecutionAlreadyStartedError) || !patched('reset-ends-old-tasks')) throw error;
        const message = 'the run was reset: its earlier task of this name is torn down before it begins anew';
        this.progress.change(task.index, { message });
        await endOf(workflowId, tries);
      }
    }
  }

  /** Tells the task to submit its job once `open` holds. The scope returned ends the wait. */
  private openWhen(child: ChildWorkflowHandle<typeof evaluationTask>, open: () => boolean): CancellationScope {
    const scope = new CancellationScope();
    void scope
      .run(async () => {
        await condition(open);
        if (this.header.startPolicy === 'as_ready') this.progress.enter('evaluating');
        await child.signal(startJob);
      })
      .catch(() => undefined);
    return scope;
  }

  /** Takes over what a task that did not succeed has to say; for one that died without a word, tears down in its place. */
  private async account(task: TaskPlan, error: unknown): Promise<void> {
    const { index } = task;
    this.progress.account(index);
    const reported = snapshotOf(error);
    if (reported) return this.progress.put(reported);
    if (isCancellation(error)) {
      return this.progress.change(index, {
        phase: 'done',
        outcome: 'cancelled',
        endedAt: this.progress.task(index).endedAt ?? now(),
      });
    }
    this.progress.change(index, { phase: 'tearing down', outcome: 'failed', error: describeError(error) });
    const { left, kept } = await this.tearDownFor(task);
    this.progress.change(index, { phase: 'done', endedAt: now(), left, kept, ...this.usageWithout(index, left) });
  }

  private usageWithout(index: number, left: readonly LeftResource[]): Pick<TaskSnapshot, 'usage'> {
    const { usage } = this.progress.task(index);
    if (!usage) return {};
    const gone = (['endpoint', 'job'] as const).filter((what) => !left.some(({ kind }) => kind === what));
    return { usage: gone.reduce(endSpan, usage) };
  }

  /** A task workflow was terminated, or could not be started: its names are known, so the run removes what it made. */
  private async tearDownFor(task: TaskPlan): Promise<WoundUp> {
    const stand = new TaskTeardown({ run: this.header, task });
    if (task.endpointName !== null) stand.coverEndpoint(task.endpointName);
    stand.coverJob();
    return stand.windUp();
  }

  /** Tasks that never began, and why the cancelled ones were. */
  private endUnstarted(): void {
    const error = this.interruption?.kind === 'sibling' ? this.abortedBy(this.interruption.index) : null;
    for (const task of this.progress.snapshot.tasks) {
      if (task.outcome === null)
        this.progress.change(task.index, { phase: 'done', outcome: 'cancelled', endedAt: now(), error });
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

  /** The tasks' folders are gone by now: their parent goes too, unless one of them was kept. */
  private async removeRunStorage(): Promise<void> {
    const { left, kept, tasks } = this.progress.snapshot;
    const clear = kept.length === 0 && !left.some(({ kind }) => kind === 'storage');
    const first = this.tasks[0];
    if (!clear || !first || tasks.every(({ job }) => job === null)) return;
    const { platform, invocation, storage, limits } = this.header;
    try {
      const owner = { platform, invocation, index: 0 };
      const folders = { folder: null, mustLack: 'task folders' } as const;
      const job = { name: first.jobName, spec: first.job };
      await untilHeard(limits.teardownSeconds, (seconds) =>
        insist('remove storage of the run', seconds).removeStorage({ ...owner, storage, ...folders, job }),
      );
    } catch (error) {
      this.progress.leave({ kind: 'storage', name: storage.path, reason: describeError(error).message });
    }
  }
}

/** Has the task of a run that was reset end, and gives it time to: longer with every try, half a minute at most. */
async function endOf(workflowId: string, tries: number): Promise<void> {
  // It may have ended just now.
  if (tries === 1)
    await getExternalWorkflowHandle(workflowId)
      .cancel()
      .catch(() => undefined);
  await sleep(Math.min(1_000 * 2 ** tries, 30_000), { summary: `wait for the end of the earlier ${workflowId}` });
}

/** Which tasks did not succeed, and why, as far as a failure's message goes. */
function failedText(tasks: readonly TaskSnapshot[]): string {
  const bad = tasks.filter(({ outcome }) => outcome !== 'succeeded');
  const shown = bad
    .slice(0, 10)
    .map(
      ({ index, name, outcome, error }) => `${index} ${name}: ${cut(error?.message ?? outcome ?? 'no outcome', 300)}`,
    );
  const more = bad.length > shown.length ? `; and ${bad.length - shown.length} more` : '';
  return `${bad.length} of ${tasks.length} tasks did not succeed: ${shown.join('; ')}${more}`;
}

/** The largest part of a plan is none of the record's. */
function withoutEndpoint(header: RunHeader): Omit<RunHeader, 'endpoint'> {
  return Object.fromEntries(Object.entries(header).filter(([key]) => key !== 'endpoint')) as unknown as RunHeader;
}

function failed(type: string, message: string, snapshot: RunSnapshot): ApplicationFailure {
  return ApplicationFailure.create({ type, message, details: [snapshot], nonRetryable: true });
}

/** Waits for all to settle before the first rejection is passed on: nothing may still be under way behind a compensation. */
async function settleAll(running: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(running);
  const rejected = results.find((result): result is PromiseRejectedResult => result.status === 'rejected');
  if (rejected) throw rejected.reason;
}
