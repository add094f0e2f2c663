import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { runWorkflowId } from '../contract/identity';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import type { WorkerBuild } from '../temporal/worker-build';
import { processIdentity } from '../support/process-identity';

/** A worker's poll lasts about a minute; a worker that has not polled for longer has ended. */
const ALIVE_WITHIN_MS = 75_000;

/** Temporal forgets pollers after five minutes. */
const FORGOTTEN_AFTER_MS = 300_000;

/**
 * Returns the time by the server's clock, as far as the times show at which it last saw pollers. A time in the future, or older than
 * anything that Temporal remembers, shows that this machine's clock is wrong; then the newest one counts as now. Pure.
 */
export function serverNow(seenAt: readonly number[], nowMs: number): number {
  const newest = Math.max(...seenAt, 0);
  return newest > 0 && (newest > nowMs || nowMs - newest > FORGOTTEN_AFTER_MS + ALIVE_WITHIN_MS) ? newest : nowMs;
}

/**
 * Returns the milliseconds by which Temporal's clock is ahead of this machine's, negative if it is behind, as far as the pollers of a
 * task queue show; 0 where they show nothing. Never rejects.
 */
export async function temporalAheadMs(client: Client, taskQueue: string): Promise<number> {
  const here = Date.now();
  try {
    const { pollers } = await client.withDeadline(here + ANSWER_WITHIN_MS, () => describeQueue(client, taskQueue));
    const aheadMs = serverNow((pollers ?? []).map(seenAt), here) - here;
    return Math.abs(aheadMs) < TOLERANCE_MS ? 0 : aheadMs;
  } catch {
    return 0;
  }
}

const ANSWER_WITHIN_MS = 3_000;

/** Pollers are dated in whole seconds, and an answer takes its time. */
const TOLERANCE_MS = 5_000;

const seenAt = ({ lastAccessTime }: { lastAccessTime?: { seconds?: unknown } | null }): number =>
  Number(lastAccessTime?.seconds ?? 0) * 1000;

const describeQueue = (client: Client, taskQueue: string) =>
  client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: taskQueue },
    taskQueueType: temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  });

type Version = { readonly deploymentName?: string | null; readonly buildId?: string | null } | null | undefined;

/** A build of the worker, or workers that are of none. */
export type Build = WorkerBuild | 'unversioned';

/**
 * Whether the workers on a task queue can continue a run. `builds`: those of the workers. `wanted`: those that Temporal gives the run
 * to: the build that it has begun on (`hasBegun`), otherwise the current one when it begins.
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

/** Whether any worker, on any machine, serves this task queue. */
export async function hasLivePoller(client: Client, taskQueue: string): Promise<boolean> {
  return (await buildsOn(client, taskQueue)).present.length > 0;
}

/** Finds out whether a worker can continue the run; with worker versioning, not every worker can. */
export async function servingOf(
  client: Client,
  { taskQueue, invocation }: { readonly taskQueue: string; readonly invocation: string },
): Promise<Serving> {
  const [{ present, current }, { raw }] = await Promise.all([
    buildsOn(client, taskQueue),
    toleratingUnreadable(client).getHandle(runWorkflowId(invocation)).describe(),
  ]);
  return judgeServing({ present, current, own: ownBuild(raw.workflowExecutionInfo?.versioningInfo) });
}

interface VersioningInfo {
  readonly deploymentVersion?: Version;
  readonly versioningOverride?:
    | { readonly pinned?: { readonly version?: Version } | null; readonly autoUpgrade?: boolean | null }
    | null
    | undefined;
}

/**
 * Returns the build that Temporal gives a run to: the one that it has begun on, unless an operator has given it to another
 * (docs/changing-workflows.md). `undefined`: to whichever is current. Pure.
 */
export function ownBuild(info: VersioningInfo | null | undefined): WorkerBuild | undefined {
  const { pinned, autoUpgrade } = info?.versioningOverride ?? {};
  if (autoUpgrade) return undefined;
  const own = buildIn(pinned?.version ?? info?.deploymentVersion);
  return own === 'unversioned' ? undefined : own;
}

/** Judges the builds of the workers. `own`: the build that the run is pinned to, if any. Pure. */
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

/** Returns the builds of the live workers on a task queue, one for each worker, and those that new runs go to. */
async function buildsOn(client: Client, taskQueue: string): Promise<{ present: Build[]; current: Build[] }> {
  const { pollers, versioningInfo } = await describeQueue(client, taskQueue);
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

/** For a worker without a build, Temporal has no version. */
function buildIn(version: Version): Build {
  return version?.deploymentName && version.buildId
    ? { deploymentName: version.deploymentName, buildId: version.buildId }
    : 'unversioned';
}

/** Temporal remembers a killed worker for a while, but whether one on this machine exists can be checked. */
function isKnownDead(identity: string): boolean {
  const [, host, pid] = /^evalsaga@(.*):(\d+)$/.exec(identity) ?? [];
  return host === hostname() && processIdentity(Number(pid)) === undefined;
}
