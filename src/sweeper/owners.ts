import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { indifferent } from '../encryption/unreadable';
import { inLanes } from '../home/lanes';
import { answerWithinMs } from '../temporal/deadlines';
import { runWorkflowId, taskWorkflowId } from '../contract/identity';
import type { OwnerState } from './orphans';

/** Asks Temporal about the owner of one task's resources. Any doubt (Temporal unreachable) rejects: nothing is swept then. */
export async function ownerOf(
  client: Client,
  task: { readonly invocation: string; readonly index: number },
): Promise<OwnerState> {
  return ownerAmong(client, task.invocation, [task.index]);
}

/** Questions to Temporal at once. */
const lanes = 20;

/** The same for what belongs to a run and any of its tasks: while the run lives, one question tells. */
export async function ownerAmong(client: Client, invocation: string, indices: readonly number[]): Promise<OwnerState> {
  const run = await closeTime(client, runWorkflowId(invocation));
  if (run === 'running') return { kind: 'live' };
  const tasks = await inLanes(indices, lanes, (index) => closeTime(client, taskWorkflowId(invocation, index)));
  if (tasks.includes('running')) return { kind: 'live' };
  const closed = [run, ...tasks].filter((state) => typeof state === 'number');
  return closed.length === 0 ? { kind: 'unknown' } : { kind: 'closed', closedAt: Math.max(...closed) };
}

async function closeTime(client: Client, workflowId: string): Promise<number | 'running' | undefined> {
  try {
    const handle = indifferent(client).getHandle(workflowId);
    const deadline = Date.now() + answerWithinMs;
    const { status, closeTime: closed } = await client.connection.withDeadline(deadline, () => handle.describe());
    if (status.name === 'RUNNING' || closed === undefined) return 'running';
    return closed.getTime();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
