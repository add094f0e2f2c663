import type { RunExecution, RunHeader } from '../contract/inputs/run';
import type { TaskInput } from '../contract/inputs/task';
import type { TaskPlan } from '../contract/plan';
import type { SharedStates } from './shared-states';
import type { TaskPhase, TaskSnapshot } from '../contract/state';

/** What a run or batch knows about its tasks. */
export interface TaskBook {
  task(index: number): TaskSnapshot;
  isReady(index: number): boolean;
  put(snapshot: TaskSnapshot): void;
  change(index: number, change: Partial<TaskSnapshot>): void;
  /** Marks the task's final snapshot as received: signals that arrive later are older. */
  account(index: number): void;
  /** Shows a phase that the task enters without a signal of its own. */
  presume(index: number, phase: TaskPhase, after: TaskPhase): void;
  /** The first job may be submitted. */
  evaluating(): void;
}

export interface TaskRunsOptions {
  readonly header: RunHeader;
  /** All tasks that may be run. */
  readonly tasks: readonly TaskPlan[];
  readonly book: TaskBook;
  readonly course: NonNullable<TaskInput['course']>;
  readonly execution: RunExecution | undefined;
  readonly shared: SharedStates;
  /** Of the whole run. */
  readonly count: number;
}
