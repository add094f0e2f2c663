import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  ChildWorkflowCancellationType,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  patched,
  sleep,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { plainWords } from '../contract/details';
import { taskWorkflowId } from '../contract/identity';
import type { RunHeader } from '../contract/inputs';
import type { TaskPlan } from '../contract/plan';
import { evaluationTask } from './evaluation-task';
import { signalsPerTask } from './signal-budget';
import { StartWindow } from './start-window';

export type TaskHandle = ChildWorkflowHandle<typeof evaluationTask>;

/** Starts the task workflows of a run. */
export class TaskStarts {
  private readonly window: StartWindow;
  private readonly signalsPerTask: number;

  constructor(
    private readonly header: RunHeader,
    tasks: readonly TaskPlan[],
  ) {
    this.window = new StartWindow(header, tasks);
    this.signalsPerTask = signalsPerTask({ tasks: tasks.length, isCounted: Boolean(header.budget) });
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
      args: [{ run: this.header, task, news: this.signalsPerTask, course: 'merged' }],
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      staticSummary: plainWords(`Task ${task.index}: ${task.name}`),
    });
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
