import {
  CancellationScope,
  getExternalWorkflowHandle,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { TaskInput } from '../contract/inputs';
import { observed, taskChanged, taskStatus } from '../contract/messages';
import { pendingTask, type TaskSnapshot } from '../contract/state';
import { taskDetails } from './details';

/** The task's one snapshot: answers the query, shows in the Web UI, and goes to the run on every change. */
export class TaskProgress {
  private current: TaskSnapshot;
  private sent: TaskSnapshot | undefined;
  private sending: Promise<void> = Promise.resolve();

  constructor({ task }: TaskInput) {
    this.current = { ...pendingTask(task), startedAt: now() };
    setHandler(taskStatus, () => this.current);
    setHandler(observed, ({ message }) => {
      if (this.current.phase === 'awaiting ready' || this.current.phase === 'running job') this.update({ message });
    });
  }

  get snapshot(): TaskSnapshot {
    return this.current;
  }

  update(change: Partial<TaskSnapshot>): void {
    this.current = { ...this.current, ...change };
    setCurrentDetails(taskDetails(this.current));
    this.sending = this.sending.then(() => this.send());
  }

  /** Waits until the run has heard the last change (or can't hear any more). */
  async flush(): Promise<void> {
    await this.sending;
  }

  private async send(): Promise<void> {
    const { parent } = workflowInfo();
    if (!parent || this.sent === this.current) return;
    this.sent = this.current;
    try {
      const run = getExternalWorkflowHandle(parent.workflowId, parent.runId);
      await CancellationScope.nonCancellable(() => run.signal(taskChanged, this.current));
    } catch {
      // The run is closed: this task goes on and tears down by itself.
    }
  }
}

/** The workflow's own clock, ISO 8601: the sandbox replaces Date. */
export const now = (): string => new Date().toISOString();
