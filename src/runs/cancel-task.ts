import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { taskWorkflowId } from '../contract/identity';

/**
 * Cancels one task of a run; the others continue. `requested before`: a cancel of it, or of its run, is under way already; `not
 * running`: it has not started, or has ended.
 */
export async function cancelTask(
  client: Client,
  { invocation, index }: { invocation: string; index: number },
): Promise<'requested' | 'requested before' | 'not running'> {
  const handle = toleratingUnreadable(client).getHandle(taskWorkflowId(invocation, index));
  try {
    const { status, raw } = await handle.describe();
    if (status.name !== 'RUNNING') return 'not running';
    await handle.cancel();
    return raw.workflowExtendedInfo?.cancelRequested ? 'requested before' : 'requested';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'not running';
    throw error;
  }
}
