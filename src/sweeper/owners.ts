import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { indifferent } from '../encryption/unreadable';
import { runWorkflowId, taskWorkflowId } from '../contract/identity';
import type { OwnerState } from './orphans';

/** Asks Temporal about the owner of one task's resources. Any doubt (Temporal unreachable) rejects: nothing is swept then. */
export async function ownerOf(
  client: Client,
  task: { readonly invocation: string; readonly index: number },
): Promise<OwnerState> {
  return ownerAmong(client, task.invocation, [task.index]);
}

/** The same for what belongs to a run and any of its tasks. */
export async function ownerAmong(client: Client, invocation: string, indices: readonly number[]): Promise<OwnerState> {
  const ids = [runWorkflowId(invocation), ...indices.map((index) => taskWorkflowId(invocation, index))];
  const found = (await Promise.all(ids.map((id) => closeTime(client, id)))).filter((state) => state !== undefined);
  if (found.some((state) => state === 'running')) return { kind: 'live' };
  const closed = found.filter((state): state is number => typeof state === 'number');
  return closed.length === 0 ? { kind: 'unknown' } : { kind: 'closed', closedAt: Math.max(...closed) };
}

async function closeTime(client: Client, workflowId: string): Promise<number | 'running' | undefined> {
  try {
    const { status, closeTime: closed } = await indifferent(client).getHandle(workflowId).describe();
    if (status.name === 'RUNNING' || closed === undefined) return 'running';
    return closed.getTime();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
