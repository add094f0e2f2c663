import {
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  setWorkflowOptions,
} from '@temporalio/workflow';
import type { BatchInput } from '../contract/inputs/task';
import { unpack } from '../contract/packed';
import type { SentTasks } from '../contract/sent-snapshot';
import { BatchProgress } from './batch-progress';
import { fitTasks } from './fitting';
import { settleAll, TaskRuns } from './task-runs';

/**
 * Workflow of a batch of a run's tasks: one child workflow per task. Starts them as far as its bounds allow, and tells the run how they
 * end. Closes when all tasks that it started have ended and the run is over, and returns their snapshots, also if it was cancelled: a
 * cancelled workflow has no result. (In runs of older builds it returns nothing, closes sooner, and is then Cancelled.)
 */
export async function evaluationBatch(input: BatchInput): Promise<SentTasks | void> {
  const tasks = unpack(input.tasks);
  const progress = new BatchProgress(input, tasks);
  const root = CancellationScope.current();
  const { run: header, execution } = input;
  const runs = new TaskRuns({
    header,
    tasks,
    book: progress,
    course: 'quiet',
    execution,
    count: tasks.length,
    shared: progress.shared,
  });
  try {
    await runAll(progress, runs);
  } catch (error) {
    if (!isCancellation(error)) throw error;
  } finally {
    await CancellationScope.nonCancellable(() => progress.finish());
  }
  if (input.keepsResults) {
    await condition(() => progress.bounds.isOver === true).catch(ignoreCancel);
    return fitTasks(progress.all);
  }
  if (root.consideredCancelled) throw new CancelledFailure('the tasks of this batch were cancelled and have ended');
}
setWorkflowOptions({ failureExceptionTypes: [Error] }, evaluationBatch);

function ignoreCancel(error: unknown): void {
  if (!isCancellation(error)) throw error;
}

/** Starts the tasks in their order; resolves when all have ended. */
async function runAll(progress: BatchProgress, runs: TaskRuns): Promise<void> {
  const running: Promise<void>[] = [];
  let active = 0;
  const isOpen = (index: number) => (): boolean => index < progress.bounds.open || progress.isAlwaysOpen;
  try {
    for (const task of progress.tasks) {
      const { index } = task;
      await condition(() => index < progress.bounds.start && active < progress.bounds.places);
      active += 1;
      running.push(
        runs.run(task, isOpen(index)).finally(() => {
          active -= 1;
        }),
      );
    }
  } finally {
    await settleAll(running);
  }
}
