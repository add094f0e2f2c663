import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { batchIdsOf, runWorkflowId, taskWorkflowId } from '../contract/identity';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { mapConcurrently } from '../support/map-concurrently';
import { answerWithinMs } from '../temporal/deadlines';

/** Parallel requests to Temporal. */
const concurrency = 20;

/**
 * Terminates a run, its batches and its tasks, for those that can't continue (see `stallsOf`). After that, only `cleanUp` or a sweep
 * tears down. The run and its batches come first, because they could start further tasks.
 */
export async function terminateRun(client: Client, invocation: string, indices: readonly number[]): Promise<void> {
  await terminate(client, runWorkflowId(invocation));
  await mapConcurrently(batchIdsOf(invocation, indices), concurrency, (id) => terminate(client, id));
  await mapConcurrently(indices, concurrency, (index) => terminate(client, taskWorkflowId(invocation, index)));
}

async function terminate(client: Client, workflowId: string): Promise<void> {
  try {
    await client.withDeadline(Date.now() + answerWithinMs, () =>
      toleratingUnreadable(client).getHandle(workflowId).terminate('given up with evalsaga cleanup --terminate'),
    );
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
