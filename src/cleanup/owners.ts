import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { mapConcurrently } from '../support/map-concurrently';
import { answerWithinMs } from '../temporal/deadlines';
import { refuseAnotherServer } from '../temporal/origin';
import { batchIdsOf, runWorkflowId, taskWorkflowId } from '../contract/identity';
import type { OwnerState } from './orphans';

/** Asks Temporal about the owners of resources. Rejects if Temporal doesn't answer, so that nothing is swept then. */
export interface Owners {
  /** Returns the state of a run and of these tasks; while the run is open, one request is enough. */
  of(invocation: string, indices: readonly number[]): Promise<OwnerState>;
}

/** Concurrent requests to Temporal. */
const concurrency = 20;

/**
 * Asks about each workflow once: a run's tasks share the run, and a task's endpoint and job share the task. Once the signal is aborted
 * nothing more is asked.
 */
export function ownersOf(client: Client, signal?: AbortSignal): Owners {
  const known = new Map<string, Promise<Closed>>();
  const ask = (workflowId: string): Promise<Closed> => {
    const before = known.get(workflowId);
    if (before) return before;
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const answer = closeTime(client, workflowId);
    known.set(workflowId, answer);
    return answer;
  };
  return {
    async of(invocation, indices) {
      const run = await ask(runWorkflowId(invocation));
      if (run === 'running') return { kind: 'live' };
      // A batch may do what its terminated task can't.
      const ids = [...batchIdsOf(invocation, indices), ...indices.map((index) => taskWorkflowId(invocation, index))];
      let isLive = false;
      // One that runs says all; a run may have thousands.
      const others = await mapConcurrently(ids, concurrency, async (id) => {
        const state = isLive ? 'running' : await ask(id);
        isLive ||= state === 'running';
        return state;
      });
      if (others.includes('running')) return { kind: 'live' };
      if ([run, ...others].includes(undefined)) await refuseAnotherServer(namespaceOf(client));
      const closed = [run, ...others].filter((state) => typeof state === 'object');
      if (closed.length === 0) return { kind: 'unknown' };
      const tasks = others.filter((state) => typeof state === 'object');
      return {
        kind: 'closed',
        closedAt: Math.max(...closed.map(({ at }) => at)),
        ...(tasks.some(({ isForced }) => isForced) ? { isForced: true } : {}),
      };
    },
  };
}

const namespaceOf = ({ connection, options }: Client) => ({ connection, namespace: options.namespace });

export const ownerAmong = (client: Client, invocation: string, indices: readonly number[]): Promise<OwnerState> =>
  ownersOf(client).of(invocation, indices);

/** `at`: close time, milliseconds since the epoch. `undefined`: Temporal doesn't know the workflow. */
type Closed = { readonly at: number; readonly isForced: boolean } | 'running' | undefined;

async function closeTime(client: Client, workflowId: string): Promise<Closed> {
  try {
    const handle = toleratingUnreadable(client).getHandle(workflowId);
    const deadline = Date.now() + answerWithinMs;
    const { status, closeTime: closed } = await client.connection.withDeadline(deadline, () => handle.describe());
    if (status.name === 'RUNNING' || closed === undefined) return 'running';
    return { at: closed.getTime(), isForced: status.name === 'TERMINATED' || status.name === 'TIMED_OUT' };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
