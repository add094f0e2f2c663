import { type Client, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { taskWorkflowId } from '../contract/identity';
import { mapConcurrently } from '../support/map-concurrently';
import { taskStatus } from '../contract/messages';
import { partsOf, type RunSnapshot, type TaskSnapshot } from '../contract/state';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { answerWithinMs, workerWithinMs } from '../temporal/deadlines';
import { snapshotFromTemporal } from './snapshot-from-temporal';

/** Tasks queried in parallel. */
const concurrency = 20;

/**
 * Completes the snapshot of a run that was terminated: its tasks were cancelled and tear down by themselves, and only they
 * know how they ended.
 */
export async function withFinalTasks(client: Client, snapshot: RunSnapshot): Promise<RunSnapshot> {
  return withTasks(snapshot, (task) =>
    latestTask(client, snapshot.invocation, task, {
      query: true,
      ifNotStarted: { phase: 'done', outcome: 'cancelled' },
    }),
  );
}

/**
 * Completes the snapshot of an open run that doesn't answer with what Temporal knows about its tasks. For `askMs` the tasks
 * are queried too: if the run's workflow is stalled, they may still answer.
 */
export async function withTasksAsKnown(client: Client, snapshot: RunSnapshot, askMs: number): Promise<RunSnapshot> {
  const until = Date.now() + askMs;
  return withTasks(snapshot, (task) =>
    latestTask(client, snapshot.invocation, task, { query: Date.now() < until, ifNotStarted: {} }),
  );
}

async function withTasks(
  snapshot: RunSnapshot,
  look: (task: TaskSnapshot) => Promise<TaskSnapshot>,
): Promise<RunSnapshot> {
  const parts = await mapConcurrently(partsOf(snapshot), concurrency, look);
  const shared = parts.filter(({ index }) => index < 0);
  return {
    ...snapshot,
    tasks: parts.filter(({ index }) => index >= 0),
    ...(shared.length === 0 ? {} : { shared }),
    left: parts.flatMap(({ left }) => left),
    kept: parts.flatMap(({ kept }) => kept),
  };
}

async function latestTask(
  client: Client,
  invocation: string,
  last: TaskSnapshot,
  how: { readonly query: boolean; readonly ifNotStarted: Partial<TaskSnapshot> },
): Promise<TaskSnapshot> {
  const handle = client.workflow.getHandle(taskWorkflowId(invocation, last.index));
  const query = (): Promise<TaskSnapshot> =>
    client.withDeadline(Date.now() + workerWithinMs, () => handle.query(taskStatus));
  try {
    const { status, raw } = await toleratingUnreadable(client).getHandle(handle.workflowId).describe();
    if (status.name === 'RUNNING') {
      const seen = snapshotFromTemporal(last, raw);
      if (!how.query) return seen;
      return await query().catch(() => seen);
    }
    return (await client.withDeadline(Date.now() + answerWithinMs, () => handle.result())) as TaskSnapshot;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { ...last, ...how.ifNotStarted };
    if (!(error instanceof WorkflowFailedError)) throw error;
    const end = endOf(last, error.cause);
    // Temporal keeps no result of a cancelled workflow: what its teardown came to, only a worker can tell.
    return error.cause instanceof CancelledFailure && how.query ? query().catch(() => end) : end;
  }
}

function endOf(last: TaskSnapshot, cause: Error | undefined): TaskSnapshot {
  if (cause instanceof ApplicationFailure && cause.details?.[0]) return cause.details[0] as TaskSnapshot;
  if (cause instanceof CancelledFailure) return { ...last, phase: 'done', outcome: 'cancelled' };
  const message = 'the task was terminated too, so nothing was torn down: evalsaga sweep and evalsaga cleanup do that';
  return { ...last, phase: 'done', outcome: 'failed', error: { type: 'Terminated', message } };
}
