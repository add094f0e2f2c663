import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { runWorkflowId, taskWorkflowId } from '../contract/identity';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { mapConcurrently } from '../support/map-concurrently';
import { answerWithinMs } from '../temporal/deadlines';

/** Parallel requests to Temporal. */
const concurrency = 20;

/**
 * Terminates a run and its tasks, for those that can't continue (see `stallsOf`). After that, only `cleanUp` or a sweep tears
 * down. The run comes first, because it could start further tasks.
 */
export async function terminateRun(client: Client, invocation: string, indices: readonly number[]): Promise<void> {
  await terminate(client, runWorkflowId(invocation));
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
