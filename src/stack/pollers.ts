import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { processIdentity } from './process-identity';

/** A worker's poll lasts about a minute; one that has not polled for longer is gone. */
const ALIVE_WITHIN_MS = 75_000;

/** Whether any worker, on whatever machine, serves this task queue. */
export async function hasLivePoller(client: Client, taskQueue: string): Promise<boolean> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  });
  return (pollers ?? []).some(({ lastAccessTime, identity }) => {
    const seconds = Number(lastAccessTime?.seconds ?? 0);
    return Date.now() - seconds * 1000 < ALIVE_WITHIN_MS && !isKnownDead(identity ?? '');
  });
}

/** Temporal remembers a worker for a while that was killed; one of this machine can be looked for. */
function isKnownDead(identity: string): boolean {
  const [, host, pid] = /^evalsaga@(.*):(\d+)$/.exec(identity) ?? [];
  return host === hostname() && processIdentity(Number(pid)) === undefined;
}
