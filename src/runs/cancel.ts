import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { runWorkflowId } from '../contract/identity';
import { RunNotFound } from './run-errors';

/** Asks a run to end: endpoints, jobs and storage are torn down first. Throws `RunNotFound`. */
export async function cancelRun(client: Client, invocation: string): Promise<'requested' | 'already closed'> {
  const handle = toleratingUnreadable(client).getHandle(runWorkflowId(invocation));
  try {
    if ((await handle.describe()).status.name !== 'RUNNING') return 'already closed';
    await handle.cancel();
    return 'requested';
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const closed = await handle.describe().then(
      () => true,
      () => false,
    );
    if (closed) return 'already closed';
    throw new RunNotFound(`Temporal knows no run ${invocation}; list runs with: evalsaga ls`);
  }
}
