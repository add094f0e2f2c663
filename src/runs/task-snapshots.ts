import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { taskWorkflowId } from '../contract/identity';
import { mapConcurrently } from '../support/map-concurrently';
import { taskStatus } from '../contract/messages';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { answerWithinMs, workerWithinMs } from '../temporal/deadlines';
import { snapshotFromTemporal } from './snapshot-from-temporal';

/** Tasks asked at once. */
const concurrency = 20;

/**
 * The snapshot of a run that was terminated, brought up to date: its tasks were told to end and tear down by themselves,
 * and only they know what came of it.
 */
export async function withFinalTasks(client: Client, snapshot: RunSnapshot): Promise<RunSnapshot> {
  return withTasks(snapshot, (task) =>
    taskSince(client, snapshot.invocation, task, { asks: true, unbegun: { phase: 'done', outcome: 'cancelled' } }),
  );
}

/**
 * The same of a run that is open and does not tell by itself, as far as Temporal knows. `askMs`: for so long its tasks are asked
 * too, for where the run can't be carried on they may well be; else nobody is there who could answer.
 */
export async function withTasksAsKnown(client: Client, snapshot: RunSnapshot, askMs: number): Promise<RunSnapshot> {
  const until = Date.now() + askMs;
  return withTasks(snapshot, (task) =>
    taskSince(client, snapshot.invocation, task, { asks: Date.now() < until, unbegun: {} }),
  );
}

async function withTasks(
  snapshot: RunSnapshot,
  look: (task: TaskSnapshot) => Promise<TaskSnapshot>,
): Promise<RunSnapshot> {
  const tasks = await mapConcurrently(snapshot.tasks, concurrency, look);
  return {
    ...snapshot,
    tasks: [...tasks],
    left: tasks.flatMap(({ left }) => left),
    kept: tasks.flatMap(({ kept }) => kept),
  };
}

async function taskSince(
  client: Client,
  invocation: string,
  last: TaskSnapshot,
  how: { readonly asks: boolean; readonly unbegun: Partial<TaskSnapshot> },
): Promise<TaskSnapshot> {
  const handle = client.workflow.getHandle(taskWorkflowId(invocation, last.index));
  try {
    const { status, raw } = await toleratingUnreadable(client).getHandle(handle.workflowId).describe();
    if (status.name === 'RUNNING') {
      const seen = snapshotFromTemporal(last, raw);
      if (!how.asks) return seen;
      return await client.withDeadline(Date.now() + workerWithinMs, () => handle.query(taskStatus)).catch(() => seen);
    }
    return (await client.withDeadline(Date.now() + answerWithinMs, () => handle.result())) as TaskSnapshot;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { ...last, ...how.unbegun };
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
