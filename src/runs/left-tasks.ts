import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { taskWorkflowId } from '../contract/identity';
import { inLanes } from '../home/lanes';
import { taskStatus } from '../contract/messages';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import { answerWithinMs, workerWithinMs } from '../temporal/deadlines';

/** Tasks asked at once. */
const lanes = 20;

/**
 * The snapshot of a run that was terminated, brought up to date: its tasks were told to end and tear down by themselves,
 * and only they know what came of it.
 */
export async function withTasksSince(client: Client, snapshot: RunSnapshot): Promise<RunSnapshot> {
  return withTasks(snapshot, (task) => taskSince(client, snapshot.invocation, task));
}

/** The same of a run that is open and can't tell by itself: tasks that have begun do, those that are heard within `withinMs`. */
export async function withTasksSoFar(client: Client, snapshot: RunSnapshot, withinMs: number): Promise<RunSnapshot> {
  const until = Date.now() + withinMs;
  const isBegun = async ({ index }: TaskSnapshot): Promise<boolean> =>
    client.workflow
      .getHandle(taskWorkflowId(snapshot.invocation, index))
      .describe()
      .then(
        () => true,
        () => false,
      );
  return withTasks(snapshot, async (task) =>
    Date.now() < until && (await isBegun(task)) ? taskSince(client, snapshot.invocation, task) : task,
  );
}

async function withTasks(
  snapshot: RunSnapshot,
  look: (task: TaskSnapshot) => Promise<TaskSnapshot>,
): Promise<RunSnapshot> {
  const tasks = await inLanes(snapshot.tasks, lanes, look);
  return {
    ...snapshot,
    tasks: [...tasks],
    left: tasks.flatMap(({ left }) => left),
    kept: tasks.flatMap(({ kept }) => kept),
  };
}

async function taskSince(client: Client, invocation: string, last: TaskSnapshot): Promise<TaskSnapshot> {
  const handle = client.workflow.getHandle(taskWorkflowId(invocation, last.index));
  try {
    const { status } = await handle.describe();
    if (status.name === 'RUNNING') {
      return await client.withDeadline(Date.now() + workerWithinMs, () => handle.query(taskStatus)).catch(() => last);
    }
    return (await client.withDeadline(Date.now() + answerWithinMs, () => handle.result())) as TaskSnapshot;
  } catch (error) {
    // It was never started.
    if (error instanceof WorkflowNotFoundError) return { ...last, phase: 'done', outcome: 'cancelled' };
    if (error instanceof WorkflowFailedError) return endOf(last, error.cause);
    throw error;
  }
}

function endOf(last: TaskSnapshot, cause: Error | undefined): TaskSnapshot {
  if (cause instanceof ApplicationFailure && cause.details?.[0]) return cause.details[0] as TaskSnapshot;
  if (cause instanceof CancelledFailure) return { ...last, phase: 'done', outcome: 'cancelled' };
  const message =
    'the task was terminated too, so nothing of it was torn down: evalsaga sweep and evalsaga cleanup do that';
  return { ...last, phase: 'done', outcome: 'failed', error: { type: 'Terminated', message } };
}
