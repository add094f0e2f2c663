import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import type { HomePaths } from '../home/paths';
import type { Report } from '../provision/once';
import type { TemporalTarget } from '../temporal/target';
import { busyForMs, throughOutages } from '../temporal/through-outages';
import { hasLivePoller } from './pollers';

/** Who does what of a run. */
export interface Queues {
  /** Of runs that begin now. */
  readonly run: string;
  /** Of this home's background worker. */
  readonly own: string;
}

/**
 * The embedded server has one queue and one worker. On a cluster this home's worker serves a queue of its own, never the
 * shared one: it would take other people's work, for which it has neither credentials nor a place. A run goes to the
 * shared queue if somebody serves that, and only what needs this machine (its files, its variables) comes back here;
 * a run on the local platform, which others can't reach, and one that nobody else would serve, stay here altogether.
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
  if (await throughOutages(() => hasLivePoller(client, shared), { withinMs: busyForMs })) return { run: shared, own };
  report?.(
    `no worker serves task queue "${shared}" at ${target.address}: what starts here is carried by this machine's background worker (queue "${own}") and waits while this machine is off. For runs that don't, have evalsaga worker run elsewhere first`,
  );
  return { run: own, own };
}

/** A queue that nobody but this home serves. */
function homeQueue({ root }: Pick<HomePaths, 'root'>, shared: string): string {
  const digest = createHash('sha256').update(`${hostname()} ${root}`).digest('hex');
  return `${shared}-${digest.slice(0, 12)}`;
}
