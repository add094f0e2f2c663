import type { PlatformRef } from '../plan';

/** Whose resources activities work on, and whom they tell. */

/** Whom an activity tells how its task is doing. */
export interface Listeners {
  /** The run's execution, which is told of all progress. */
  readonly run: string;
  /** Who waits for the endpoint to be Ready; absent: nobody. */
  readonly barrier?: Barrier;
}

/** The workflow that lets jobs start once all endpoints are Ready: of a batch, or of the run. */
export interface Barrier {
  readonly workflowId: string;
  readonly runId: string;
  /** See `TaskInput.toldTogether`. */
  readonly toldTogether?: true;
}

/** Whose resources an activity works on. */
export interface Owner {
  readonly platform: PlatformRef;
  readonly invocation: string;
  /** The task's; below 0: a shared endpoint's (`sharedIndex` in contract/identity.ts). */
  readonly index: number;
  /** Absent: the task itself tells its run. */
  readonly tell?: Listeners;
  /** Place of the run in its results store, where its sealed secrets lie; absent: it has none. */
  readonly secretsAt?: string;
}
