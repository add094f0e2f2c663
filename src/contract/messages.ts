/** Signals and queries between run, task, activities and client: names and types, no runtime. */
import type { QueryDefinition, SignalDefinition } from '@temporalio/common';
import type { RunSnapshot, TaskSnapshot } from './state';

/** Task → run: the task's endpoint is Ready; carries the task's snapshot. */
export const endpointReady = { type: 'signal', name: 'endpointReady' } as SignalDefinition<
  [{ index: number; snapshot: TaskSnapshot }]
>;

/** Task → run: the task's snapshot changed. */
export const taskChanged = { type: 'signal', name: 'taskChanged' } as SignalDefinition<[TaskSnapshot]>;

/** Run → task: the barrier is open, submit the job. */
export const startJob = { type: 'signal', name: 'startJob' } as SignalDefinition<[]>;

/**
 * Activity → task: the platform's state of the endpoint or job changed. `from`: the activity's type; absent: of an older worker.
 * `isAway`: the endpoint has just gone away while it should serve.
 */
export const observed = { type: 'signal', name: 'observed' } as SignalDefinition<
  [{ message: string; from?: string; isAway?: true }]
>;

/** The run's snapshot; answered after the run has closed, too. */
export const runStatus = { type: 'query', name: 'status' } as QueryDefinition<RunSnapshot>;

/** The task's snapshot. */
export const taskStatus = { type: 'query', name: 'status' } as QueryDefinition<TaskSnapshot>;
