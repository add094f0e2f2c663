import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow';
import { temporal } from '@temporalio/proto';
import { batchIdsOf, runWorkflowId, taskWorkflowId } from '../contract/identity';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { mapConcurrently } from '../support/map-concurrently';
import { answerWithinMs } from '../temporal/deadlines';

/**
 * A workflow that is open, but that no worker can continue: every attempt fails as long as the workers have this code.
 * Typically the run was started by another build.
 */
export interface Stall {
  /** A task's index, or the run's own workflow, or one of its batches. */
  readonly who: number | 'run';
  readonly attempts: number;
  /** Milliseconds since the epoch: when it first failed. */
  readonly since: number;
  /** The worker's error message, if Temporal has kept it. */
  readonly cause: string;
  /** The worker's code doesn't match the history. */
  readonly isNondeterminism: boolean;
}

/** Parallel requests to Temporal. */
const concurrency = 20;
/** Tasks that are checked: if a build can't continue a thousand tasks, the first of them show it. */
const mostTasks = 100;
/** Events that may have followed the failure. */
const recentEvents = 50;

/** Returns which of the run's workflow and its open tasks no worker can continue. */
export async function stallsOf(client: Client, invocation: string, openTasks: readonly number[]): Promise<Stall[]> {
  const tasks = openTasks.slice(0, mostTasks);
  const asked: { readonly who: Stall['who']; readonly id: string }[] = [
    { who: 'run', id: runWorkflowId(invocation) },
    ...batchIdsOf(invocation, openTasks).map((id) => ({ who: 'run' as const, id })),
    ...tasks.map((index) => ({ who: index, id: taskWorkflowId(invocation, index) })),
  ];
  return (await mapConcurrently(asked, concurrency, ({ who, id }) => stallOf(client, id, who))).flatMap(
    (stall) => stall ?? [],
  );
}

async function stallOf(client: Client, workflowId: string, who: Stall['who']): Promise<Stall | undefined> {
  try {
    const { raw } = await client.withDeadline(Date.now() + answerWithinMs, () =>
      toleratingUnreadable(client).getHandle(workflowId).describe(),
    );
    const attempts = raw.pendingWorkflowTask?.attempt ?? 0;
    // A first failure is retried at once, and may just be a lost worker.
    if (attempts < 2) return undefined;
    const failed = await lastFailure(client, workflowId);
    return failed && { who, attempts, ...failed };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

const { EventType, WorkflowTaskFailedCause } = temporal.api.enums.v1;

/** Returns why the last workflow task failed, unless one has completed since. Temporal keeps only the first of consecutive failures. */
async function lastFailure(client: Client, workflowId: string): Promise<Omit<Stall, 'who' | 'attempts'> | undefined> {
  const { namespace, loadedDataConverter } = client.options;
  const { history } = await client.withDeadline(Date.now() + answerWithinMs, () =>
    client.workflowService.getWorkflowExecutionHistoryReverse({
      namespace,
      execution: { workflowId },
      maximumPageSize: recentEvents,
    }),
  );
  for (const { eventType, eventTime, workflowTaskFailedEventAttributes: failed } of history?.events ?? []) {
    if (eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED) return undefined;
    if (eventType !== EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED) continue;
    const error = await decodeOptionalFailureToOptionalError(loadedDataConverter, failed?.failure).catch(
      () => undefined,
    );
    return {
      since: Number(eventTime?.seconds ?? 0) * 1000,
      cause: error?.message ?? 'Temporal gives no cause',
      isNondeterminism: failed?.cause === WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
    };
  }
  return undefined;
}
