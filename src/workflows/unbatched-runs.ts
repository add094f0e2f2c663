import { condition, patched } from '@temporalio/workflow';
import type { RunHeader } from '../contract/inputs/run';
import type { TaskPlan } from '../contract/plan';
import type { EndpointShare } from './endpoint-share';
import type { RunProgress } from './run-progress';
import type { SharedStates } from './shared-states';
import { settleAll, type TaskRuns } from './task-runs';

interface UnbatchedRunsOptions {
  readonly header: RunHeader;
  readonly tasks: readonly TaskPlan[];
  readonly runs: TaskRuns;
  readonly progress: RunProgress;
  readonly shared: SharedStates;
  /** Called when a task has ended. */
  readonly onEnded: (index: number) => void;
}

/** Runs a run's tasks as its children, as the start policy says. */
export class UnbatchedRuns {
  constructor(private readonly options: UnbatchedRunsOptions) {}

  /**
   * Resolves when all tasks have ended. At most `width` run at the same time, and no more than the run's share allows: `all_ready` runs
   * waves of so many tasks, each with its own barrier; `as_ready` keeps that many running. Cancelling the scope cancels all tasks.
   */
  async run(width: number, share?: EndpointShare): Promise<void> {
    const { header, tasks } = this.options;
    if (header.startPolicy === 'as_ready') return share ? this.metered(width, share) : this.rolling(width);
    for (let from = 0; from < tasks.length; from += width) await this.wave(tasks.slice(from, from + width), share);
  }

  private async wave(tasks: readonly TaskPlan[], share: EndpointShare | undefined): Promise<void> {
    const { progress } = this.options;
    const first = tasks[0]?.index ?? 0;
    if (share) await share.acquireWave(first, first + tasks.length);
    let open = false;
    for (const { index } of tasks) share?.begin(index);
    const running = tasks.map((task) => this.runTask(task, () => open));
    const decided = ({ index }: TaskPlan) => progress.isReady(index) || progress.task(index).outcome !== null;
    const barrier = condition(() => tasks.every(decided) && tasks.every((task) => this.isServed(task))).then(() => {
      open = true;
      progress.enter('evaluating');
    });
    await settleAll([...running, barrier]);
  }

  /** Whether the barrier need not wait for the shared endpoints that the task uses. */
  private isServed(task: TaskPlan): boolean {
    const { progress, shared } = this.options;
    if (shared.areReadyFor(task) || shared.lossFor(task) !== undefined) return true;
    // 2026-11-29: of one that nobody uses any more, neither may ever be told.
    return progress.task(task.index).outcome !== null && patched('ended-tasks-need-no-endpoint');
  }

  private async rolling(width: number): Promise<void> {
    const { tasks, progress } = this.options;
    const queue = [...tasks];
    const lane = async (): Promise<void> => {
      for (let task = queue.shift(); task; task = queue.shift()) {
        const { index } = task;
        await this.runTask(task, () => progress.isReady(index));
      }
    };
    await settleAll(Array.from({ length: Math.min(width, queue.length) }, lane));
  }

  /** The same where endpoints are limited: tasks begin in their order, as the run gets endpoints. */
  private async metered(width: number, share: EndpointShare): Promise<void> {
    const { tasks, progress } = this.options;
    const running: Promise<void>[] = [];
    let active = 0;
    try {
      for (const task of tasks) {
        const { index } = task;
        await condition(() => active < width && share.mayBegin(index));
        active += 1;
        share.begin(index);
        const run = this.runTask(task, () => progress.isReady(index));
        running.push(run.finally(() => (active -= 1)));
      }
    } finally {
      await settleAll(running);
    }
  }

  private async runTask(task: TaskPlan, mayStart: () => boolean): Promise<void> {
    await this.options.runs.run(task, mayStart);
    this.options.onEnded(task.index);
  }
}
