/** Signals and queries between run, batch, task, activities and client: names and types, no runtime. */
import type { QueryDefinition, SignalDefinition } from '@temporalio/common';
import type { Claim, Grant, QuotaState } from './endpoint-quota';
import type { BatchBounds } from './inputs/task';
import type { SentSnapshot } from './sent-snapshot';
import type { SharedState, TaskError, TaskNews, TaskSnapshot } from './state';

/** The endpoint of a task is Ready. */
export interface ReadyTask {
  readonly index: number;
  readonly endpointUrl?: string;
}

/**
 * Activity → parent of the task: the task's endpoint is Ready. `others`: so are those of these tasks. `snapshot`: the task's; from tasks
 * that tell this themselves, as those of older builds do.
 */
export const endpointReady = { type: 'signal', name: 'endpointReady' } as SignalDefinition<
  [ReadyTask & { readonly others?: readonly ReadyTask[]; readonly snapshot?: TaskSnapshot }]
>;

/** Activities → run: what they do for its tasks, collected by their worker. */
export const tasksProgress = { type: 'signal', name: 'tasksProgress' } as SignalDefinition<[readonly TaskNews[]]>;

/** Batch → run: the latest of some of its tasks. */
export const batchProgress = { type: 'signal', name: 'batchProgress' } as SignalDefinition<[BatchNews]>;

/** Run → batch: it may do more than before. */
export const advance = { type: 'signal', name: 'advance' } as SignalDefinition<[BatchBounds]>;

export interface BatchNews {
  readonly batch: number;
  /** Its tasks below this index are all Ready or over. */
  readonly decided: number;
  readonly tasks: readonly TaskSnapshot[];
}

/** Task → its parent: the task's snapshot changed. */
export const taskChanged = { type: 'signal', name: 'taskChanged' } as SignalDefinition<[TaskSnapshot]>;

/** Parent → task: the barrier is open, submit the job. With the URLs of the shared endpoints, if the run has any. */
export const startJob = { type: 'signal', name: 'startJob' } as SignalDefinition<[SharedUrls?]>;

/** Base URLs of shared endpoints, by their position in the plan. */
export type SharedUrls = Readonly<Record<number, string>>;

/** Parent → task: a shared endpoint that it uses has failed. */
export const sharedEndpointLost = { type: 'signal', name: 'sharedEndpointLost' } as SignalDefinition<[TaskError]>;

/** Run → batch: how its shared endpoints are. */
export const sharedEndpointsChanged = { type: 'signal', name: 'sharedEndpointsChanged' } as SignalDefinition<
  [readonly SharedState[]]
>;

/** Run → shared endpoint: nobody uses it any more. */
export const releaseEndpoint = { type: 'signal', name: 'releaseEndpoint' } as SignalDefinition<[]>;

/**
 * Activity → task: the platform's state of the endpoint or job changed. `from`: the activity's type; absent: of an older worker.
 * `isAway`: the endpoint has just gone away while it should serve. `endpointReleasedAt`: its deletion was accepted then, ISO 8601, while the
 * job ran on.
 */
export const observed = { type: 'signal', name: 'observed' } as SignalDefinition<
  [{ message: string; from?: string; isAway?: true; endpointReleasedAt?: string }]
>;

/** Run, or an activity for it → quota of its task queue: what it wants and has given back. `limit`: as the activity's worker has it. */
export const quotaClaim = { type: 'signal', name: 'quotaClaim' } as SignalDefinition<
  [claim: Claim, limit?: number | null]
>;

/** Quota → run: what the run may have. */
export const quotaGrant = { type: 'signal', name: 'quotaGrant' } as SignalDefinition<[Grant]>;

/** Who has how many endpoints of a task queue, and who waits. */
export const quotaStatus = { type: 'query', name: 'status' } as QueryDefinition<QuotaState>;

/** The run's snapshot; answered after the run has closed, too. */
export const runStatus = { type: 'query', name: 'status' } as QueryDefinition<SentSnapshot>;

/** The task's snapshot. */
export const taskStatus = { type: 'query', name: 'status' } as QueryDefinition<TaskSnapshot>;
