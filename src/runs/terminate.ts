import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { runWorkflowId, taskWorkflowId } from '../contract/identity';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { mapConcurrently } from '../support/map-concurrently';
import { answerWithinMs } from '../temporal/deadlines';

/** Requests to Temporal at once. */
const concurrency = 20;

/**
 * Ends a run and its tasks without asking them: for those that can't go on (see `stallsOf`). Nobody tears down after that but
 * `cleanUp` or a sweep. The run first: it would start further tasks.
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
