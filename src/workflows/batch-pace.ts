import { condition } from '@temporalio/workflow';
import type { TaskPlan } from '../contract/plan';
import type { TaskSnapshot } from '../contract/state';

/**
 * Milliseconds after which the next batch begins in any case: what the tasks of the one before have begun is told by activities, and
 * such news can be lost.
 */
const longestPauseMs = 5_000;

export interface BatchPaceOptions {
  /** See `RunInput.mostBeginning`. */
  readonly most: number;
  readonly task: (index: number) => TaskSnapshot;
}

/** Returns the tasks of a batch that may run by now. */
export type AllowedTasks = () => readonly TaskPlan[];

/**
 * Lets the batches of a run begin one after the other, each when few tasks of the others are still about to create their endpoint. First
 * steps are served in the order in which they were asked for: those of another run would wait behind all of a thousand tasks.
 */
export class BatchPace {
  private readonly begun: AllowedTasks[] = [];
  private before: Promise<void> | undefined;

  constructor(private readonly options: BatchPaceOptions) {}

  /** Resolves when the next batch may begin, which has these tasks. Rejects when the scope is cancelled. */
  async turn(tasks: AllowedTasks): Promise<void> {
    const turn = this.after(this.before, tasks);
    this.before = turn.catch(() => undefined);
    await turn;
  }

  private async after(before: Promise<void> | undefined, tasks: AllowedTasks): Promise<void> {
    // The first batch has nobody to wait for.
    if (before !== undefined) {
      await before;
      await condition(() => this.beginning < this.options.most, longestPauseMs);
    }
    this.begun.push(tasks);
  }

  private get beginning(): number {
    const { task } = this.options;
    const tasks = this.begun.flatMap((allowed) => allowed());
    return tasks.filter((plan) => isBeginning(plan, task(plan.index))).length;
  }
}

/** A task without an endpoint of its own may wait for a shared one: it has nothing to begin. */
const isBeginning = ({ endpointName }: TaskPlan, { phase, outcome }: TaskSnapshot): boolean =>
  endpointName !== null && phase === 'pending' && outcome === null;
