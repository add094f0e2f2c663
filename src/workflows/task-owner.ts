import { workflowInfo } from '@temporalio/workflow';
import { ownerIn } from '../contract/owner';
import type { Owner } from '../contract/inputs/owner';
import type { TaskInput } from '../contract/inputs/task';

/** Whose resources the activities of a task work on. */
export const ownerOf = ({ run, task, execution }: TaskInput): Owner => ({
  ...ownerIn(run, task.index),
  ...(execution ? { tell: { run: execution.runId } } : {}),
});

/** The same for waits that end when the endpoint is Ready: whoever holds the barrier is told. */
export function ownerAwaitingReady(input: TaskInput): Owner {
  const owner = ownerOf(input);
  const { parent } = workflowInfo();
  if (!owner.tell || !parent || !hasBarrier(input)) return owner;
  const { workflowId, runId } = parent;
  const barrier = { workflowId, runId, ...(input.toldTogether ? { toldTogether: true as const } : {}) };
  return { ...owner, tell: { ...owner.tell, barrier } };
}

/** Whether the task waits for its parent's word before it submits its job. */
export const hasBarrier = ({ run, course, task }: Pick<TaskInput, 'run' | 'course' | 'task'>): boolean =>
  course !== 'quiet' || run.startPolicy === 'all_ready' || task.uses !== undefined;
