import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { taskWorkflowId } from '../contract/identity';

/** Cancels one task of a run; the others continue. `not running`: it has not started, or has ended. */
export async function cancelTask(
  client: Client,
  { invocation, index }: { invocation: string; index: number },
): Promise<'requested' | 'not running'> {
  const handle = toleratingUnreadable(client).getHandle(taskWorkflowId(invocation, index));
  try {
    if ((await handle.describe()).status.name !== 'RUNNING') return 'not running';
    await handle.cancel();
    return 'requested';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'not running';
    throw error;
  }
}
