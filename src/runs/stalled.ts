import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow';
import { temporal } from '@temporalio/proto';
import { runWorkflowId, taskWorkflowId } from '../contract/identity';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { mapConcurrently } from '../support/map-concurrently';
import { answerWithinMs } from '../temporal/deadlines';

/**
 * A workflow that Temporal calls running, but that no worker can carry on: each try to do so fails, for as long as the worker's
 * code is what it is. Typically another build serves a run than the one that began it.
 */
export interface Stall {
  /** A task's index, or the run as a whole. */
  readonly who: number | 'run';
  readonly attempts: number;
  /** Milliseconds since the epoch: when it first failed. */
  readonly since: number;
  /** In the worker's words, where Temporal has kept them. */
  readonly cause: string;
  /** The code decides otherwise than what the history holds. */
  readonly isOtherCode: boolean;
}

/** Questions to Temporal at once. */
const concurrency = 20;
/** Tasks that are looked at: what one build can't carry on of a thousand tasks shows in the first of them. */
const mostTasks = 100;
/** Events that may have come since it failed. */
const recentEvents = 50;

/** The run and its open tasks, as far as no worker can carry them on. */
export async function stallsOf(client: Client, invocation: string, openTasks: readonly number[]): Promise<Stall[]> {
  const whos = ['run' as const, ...openTasks.slice(0, mostTasks)];
  return (await mapConcurrently(whos, concurrency, (who) => stallOf(client, invocation, who))).flatMap(
    (stall) => stall ?? [],
  );
}

async function stallOf(client: Client, invocation: string, who: Stall['who']): Promise<Stall | undefined> {
  const workflowId = who === 'run' ? runWorkflowId(invocation) : taskWorkflowId(invocation, who);
  try {
    const { raw } = await client.withDeadline(Date.now() + answerWithinMs, () =>
      toleratingUnreadable(client).getHandle(workflowId).describe(),
    );
    const attempts = raw.pendingWorkflowTask?.attempt ?? 0;
    // One that failed once is tried again at once, and one may be lost with its worker.
    if (attempts < 2) return undefined;
    const failed = await lastFailure(client, workflowId);
    return failed && { who, attempts, ...failed };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

const { EventType, WorkflowTaskFailedCause } = temporal.api.enums.v1;

/** Why the workflow's last task failed, unless one has been completed since. Temporal keeps the first failure of a row only. */
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
      cause: error?.message ?? 'Temporal tells no cause',
      isOtherCode: failed?.cause === WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
    };
  }
  return undefined;
}
