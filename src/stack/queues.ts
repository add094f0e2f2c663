import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import type { HomePaths } from '../home/paths';
import type { Report } from '../provision/once';
import type { TemporalTarget } from '../temporal/target';
import { busyForMs, retryDuringOutages } from '../temporal/retry-during-outages';
import { hasLivePoller } from './pollers';

/** Task queues of a run. */
export interface Queues {
  /** Of runs that start now. */
  readonly run: string;
  /** Of this home's background worker. */
  readonly own: string;
}

/**
 * Chooses the task queues. The embedded server has one queue and one worker. On a cluster, this home's worker serves its own queue,
 * never the shared one: it would get other people's work, without their credentials and folders. A run uses the shared queue if
 * a worker serves it, and only what needs this machine (files, variables) uses the home's queue. A run on the local platform, which
 * other machines can't reach, and a run that no other worker would serve use the home's queue for everything.
 */
export async function chooseQueues(choice: {
  readonly home: HomePaths;
  readonly target: TemporalTarget;
  readonly localPlatform: boolean;
  readonly client: Client;
  readonly report?: Report | undefined;
}): Promise<Queues> {
  const { home, target, localPlatform, client, report } = choice;
  const shared = target.taskQueue;
  if (target.kind === 'embedded') return { run: shared, own: shared };
  const own = homeQueue(home, shared);
  if (localPlatform) return { run: own, own };
  if (await retryDuringOutages(() => hasLivePoller(client, shared), { withinMs: busyForMs }))
    return { run: shared, own };
  report?.(
    `no worker serves task queue "${shared}" at ${target.address}: runs that start here use this machine's background worker (queue "${own}") and wait while this machine is off. To avoid that, start evalsaga worker on another machine first`,
  );
  return { run: own, own };
}

/** Returns the name of the queue that only this home serves. */
function homeQueue({ root }: Pick<HomePaths, 'root'>, shared: string): string {
  const digest = createHash('sha256').update(`${hostname()} ${root}`).digest('hex');
  return `${shared}-${digest.slice(0, 12)}`;
}
