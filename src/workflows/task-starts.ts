import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  getExternalWorkflowHandle,
  isCancellation,
  ParentClosePolicy,
  patched,
  sleep,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { plainWords } from '../contract/details';
import { runOf, withoutEndpoint } from '../contract/endpoint-plans';
import { taskWorkflowId } from '../contract/identity';
import type { RunHeader } from '../contract/inputs/run';
import type { TaskInput } from '../contract/inputs/task';
import { observed } from '../contract/messages';
import type { TaskPlan } from '../contract/plan';
import { evaluationTask } from './evaluation-task';
import { signalsPerTask } from './signal-budget';
import { StartWindow } from './start-window';
import type { TaskRunsOptions } from './task-book';

export type TaskHandle = ChildWorkflowHandle<typeof evaluationTask>;

/** Starts the task workflows of a run or batch. */
export class TaskStarts {
  private readonly header: RunHeader;
  private readonly tasks: readonly TaskPlan[];
  private readonly common: Pick<TaskInput, 'course' | 'news' | 'execution' | 'toldTogether'>;

  constructor({ header, tasks, course, execution, count }: TaskRunsOptions) {
    this.header = header;
    this.tasks = tasks;
    const news = signalsPerTask({ tasks: count, isCounted: Boolean(header.budget) });
    this.common =
      course === 'quiet' ? { course, toldTogether: true, ...(execution ? { execution } : {}) } : { course, news };
  }

  private knownWindow: StartWindow | undefined;
  private get window(): StartWindow {
    const bytesOf = (value: unknown): number => JSON.stringify(value).length;
    const largest = (): number => this.tasks.reduce((most, task) => Math.max(most, bytesOf(task)), 0);
    return (this.knownWindow ??= new StartWindow(bytesOf(this.header) + largest()));
  }

  /** Starts the task's workflow, after the end of an earlier one of a run that was reset: `onEarlier` is told that it waits. */
  async start(task: TaskPlan, onEarlier: (message: string) => void): Promise<TaskHandle> {
    const workflowId = taskWorkflowId(this.header.invocation, task.index);
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.window.during(() => this.startChild(workflowId, task));
      } catch (error) {
        // 2026-11-28
        if (!(error instanceof WorkflowExecutionAlreadyStartedError) || !patched('reset-ends-old-tasks')) throw error;
        onEarlier('the run was reset: its earlier task of this name is torn down before it begins anew');
        await endOf(workflowId, tries);
      }
    }
  }

  private startChild(workflowId: string, task: TaskPlan): Promise<TaskHandle> {
    return startChild(evaluationTask, {
      workflowId,
      args: [{ run: runOf(this.header, task), task: withoutEndpoint(task), ...this.common }],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: plainWords(`Task ${task.index}: ${task.name}`),
    });
  }
}

/** Cancels the workflow of a task or batch, and waits until there is none of this id that runs. */
export async function untilGone(workflowId: string): Promise<void> {
  const other = getExternalWorkflowHandle(workflowId);
  await other.cancel().catch(() => undefined);
  for (let tries = 1; ; tries += 1) {
    try {
      // Without a message it says nothing; but only a running workflow can be signalled.
      await other.signal(observed.name);
    } catch (error) {
      if (isCancellation(error)) throw error;
      return;
    }
    await sleep(Math.min(1_000 * 2 ** tries, 30_000), { summary: `wait for the end of ${workflowId}` });
  }
}

/** Cancels the earlier task of a reset run and waits for it to end: longer on each try, up to 30 seconds. */
async function endOf(workflowId: string, tries: number): Promise<void> {
  // It may have just ended.
  if (tries === 1)
    await getExternalWorkflowHandle(workflowId)
      .cancel()
      .catch(() => undefined);
  await sleep(Math.min(1_000 * 2 ** tries, 30_000), { summary: `wait for the end of the earlier ${workflowId}` });
}
