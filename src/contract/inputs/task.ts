import type { Packed } from '../packed';
import type { SharedEndpointPlan, TaskPlan } from '../plan';
import type { SharedState } from '../state';
import type { RunExecution, RunHeader } from './run';

/** Arguments of the workflows of batches, tasks and shared endpoints. */

/** Input of a batch: consecutive tasks of a run with many. */
export interface BatchInput {
  /** Position among the run's batches, from 0. */
  readonly batch: number;
  readonly run: RunHeader;
  readonly tasks: Packed<TaskPlan>;
  readonly execution: RunExecution;
  readonly bounds: BatchBounds;
  /** Of the run's shared endpoints when the batch began. Absent: there are none. */
  readonly shared?: readonly SharedState[];
  /** It returns the snapshots of its tasks once the run says that it is over, or is cancelled. Absent: of an older build. */
  readonly keepsResults?: true;
}

/** What a batch may do; numbers only grow. */
export interface BatchBounds {
  /** Tasks with a lower index may start. */
  readonly start: number;
  /** How many of its tasks may run at the same time. */
  readonly places: number;
  /** Tasks with a lower index may submit their jobs. Without meaning for `as_ready`. */
  readonly open: number;
  /** All tasks of the run have ended: a batch that keeps results closes with it, so that Temporal keeps both for the same time. */
  readonly isOver?: true;
}

export interface TaskInput {
  readonly run: RunHeader;
  readonly task: TaskPlan;
  /**
   * Which course the task takes. `merged`: steps that always follow one another are one activity, and phases that pass in seconds
   * are not told to the run. `quiet`: also, activities tell the run of the task's progress, so that the task doesn't. Absent: of
   * a run that an older build began.
   */
  readonly course?: 'merged' | 'quiet';
  /** How many progress signals the task may send to its run, besides those that are always sent. See workflows/signal-budget.ts. */
  readonly news?: number;
  /** Of the run, for `quiet` tasks. */
  readonly execution?: RunExecution;
  /** Its parent understands one signal that says of several tasks that their endpoints are Ready. Absent: of an older build. */
  readonly toldTogether?: true;
}

/** Input of the workflow of a shared endpoint. */
export interface EndpointInput {
  readonly run: RunHeader;
  /** Its position in the plan's `sharedEndpoints`. */
  readonly position: number;
  readonly shared: SharedEndpointPlan;
  readonly execution: RunExecution;
}
