import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { runWorkflowId } from '../contract/identity';
import type { HomePaths } from '../home/paths';
import { findRecordedRun } from './recorded-run';
import { RunNotFound } from './run-errors';

/**
 * Requests the cancellation of a run, which tears everything down before it closes. `home`: tells that a run has ended which Temporal has
 * forgotten. Throws `RunNotFound`.
 */
export async function cancelRun(
  client: Client,
  invocation: string,
  home?: HomePaths,
): Promise<'requested' | 'already closed'> {
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
    if (closed || (home && (await findRecordedRun(home, invocation)))) return 'already closed';
    throw new RunNotFound(`Temporal knows no run ${invocation}; list runs with: evalsaga ls`);
  }
}
