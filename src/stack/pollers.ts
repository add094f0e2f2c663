import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { runWorkflowId } from '../contract/identity';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import type { WorkerBuild } from '../temporal/worker-build';
import { processIdentity } from '../support/process-identity';

/** A worker's poll lasts about a minute; one that has not polled for longer is gone. */
const ALIVE_WITHIN_MS = 75_000;

/** Temporal itself forgets pollers after five minutes. */
const FORGOTTEN_AFTER_MS = 300_000;

/**
 * The server's time, as far as pollers tell when it has seen them, by its own clock: what lies in the future, or is older
 * than anything that it remembers, shows that this machine's clock is wrong, and the newest is then as good as now. Pure.
 */
export function serverNow(seenAt: readonly number[], nowMs: number): number {
  const newest = Math.max(...seenAt, 0);
  return newest > 0 && (newest > nowMs || nowMs - newest > FORGOTTEN_AFTER_MS + ALIVE_WITHIN_MS) ? newest : nowMs;
}

/** A build of the worker, or workers that are of none. */
export type Build = WorkerBuild | 'unversioned';

/**
 * Whether the workers on a task queue may carry a run on. `builds`: those that are there. `wanted`: those that Temporal gives the
 * run to; the one that it `hasBegun` on, else whichever is current when it begins.
 */
export type Serving =
  | { readonly kind: 'served' }
  | { readonly kind: 'nobody' }
  | {
      readonly kind: 'other builds';
      readonly builds: readonly Build[];
      readonly wanted: readonly Build[];
      readonly hasBegun: boolean;
    };

/** Whether any worker, on whatever machine, serves this task queue. */
export async function hasLivePoller(client: Client, taskQueue: string): Promise<boolean> {
  return (await buildsOn(client, taskQueue)).present.length > 0;
}

/** Whether a worker is there that may carry on the run: with worker versioning, not each may. */
export async function servingOf(
  client: Client,
  { taskQueue, invocation }: { readonly taskQueue: string; readonly invocation: string },
): Promise<Serving> {
  const [{ present, current }, { raw }] = await Promise.all([
    buildsOn(client, taskQueue),
    toleratingUnreadable(client).getHandle(runWorkflowId(invocation)).describe(),
  ]);
  const own = buildIn(raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion);
  return judgeServing({ present, current, own: own === 'unversioned' ? undefined : own });
}

/** `own`: the build that the run has begun on, if it is tied to one. Pure. */
export function judgeServing(seen: {
  readonly present: readonly Build[];
  readonly current: readonly Build[];
  readonly own: WorkerBuild | undefined;
}): Serving {
  const { present, current, own } = seen;
  if (present.length === 0) return { kind: 'nobody' };
  const wanted = own ? [own] : current;
  if (present.some((build) => wanted.some((one) => isSame(one, build)))) return { kind: 'served' };
  const builds = present.filter((build, at) => present.findIndex((one) => isSame(one, build)) === at);
  return { kind: 'other builds', builds, wanted, hasBegun: own !== undefined };
}

const isSame = (one: Build, other: Build): boolean =>
  one === 'unversioned' || other === 'unversioned'
    ? one === other
    : one.deploymentName === other.deploymentName && one.buildId === other.buildId;

/** The builds of the living workers on a task queue, one for each worker, and those that new runs go to. */
async function buildsOn(client: Client, taskQueue: string): Promise<{ present: Build[]; current: Build[] }> {
  const { pollers, versioningInfo } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  });
  const seenAt = ({ lastAccessTime }: { lastAccessTime?: { seconds?: unknown } | null }): number =>
    Number(lastAccessTime?.seconds ?? 0) * 1000;
  const now = serverNow((pollers ?? []).map(seenAt), Date.now());
  const alive = (pollers ?? []).filter(
    (poller) => now - seenAt(poller) < ALIVE_WITHIN_MS && !isKnownDead(poller.identity ?? ''),
  );
  const { WORKER_VERSIONING_MODE_VERSIONED: versioned } = temporal.api.enums.v1.WorkerVersioningMode;
  const present = alive.map(({ deploymentOptions: options }) =>
    options?.workerVersioningMode === versioned ? buildIn(options) : 'unversioned',
  );
  const { currentDeploymentVersion, rampingDeploymentVersion, rampingVersionPercentage } = versioningInfo ?? {};
  const ramping = (rampingVersionPercentage ?? 0) > 0 ? [buildIn(rampingDeploymentVersion)] : [];
  return { present, current: [buildIn(currentDeploymentVersion), ...ramping] };
}

/** Temporal says nothing of workers that are of no build. */
function buildIn(said: { deploymentName?: string | null; buildId?: string | null } | null | undefined): Build {
  return said?.deploymentName && said.buildId
    ? { deploymentName: said.deploymentName, buildId: said.buildId }
    : 'unversioned';
}

/** Temporal remembers a worker for a while that was killed; one of this machine can be looked for. */
function isKnownDead(identity: string): boolean {
  const [, host, pid] = /^evalsaga@(.*):(\d+)$/.exec(identity) ?? [];
  return host === hostname() && processIdentity(Number(pid)) === undefined;
}
