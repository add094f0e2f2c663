import { condition, sleep } from '@temporalio/workflow';
import { costAt, msUntilLimit, ratePerHour } from '../contract/cost';
import { failureTypes } from '../contract/failure-types';
import type { RunHeader } from '../contract/inputs/run';
import type { BudgetPlan } from '../contract/plan';
import type { TaskError, TaskSnapshot } from '../contract/state';

/** Why the run itself, rather than its user, cancelled its tasks. */
export type Interruption =
  | { readonly kind: 'deadline'; readonly seconds: number }
  | { readonly kind: 'budget'; readonly budget: BudgetPlan }
  | { readonly kind: 'sibling'; readonly index: number }
  /** A guard failed, so the limits can no longer be enforced. */
  | { readonly kind: 'fault'; readonly error: TaskError };

export interface GuardedRun {
  readonly header: RunHeader;
  readonly tasks: () => readonly TaskSnapshot[];
  readonly interrupt: (reason: Interruption) => void;
}

/** Enforces the run's limits on time and cost. The caller cancels it when the run is over. */
export async function guardRun(run: GuardedRun): Promise<void> {
  await Promise.all([guardTime(run), guardBudget(run)]);
}

async function guardTime({ header, interrupt }: GuardedRun): Promise<void> {
  const seconds = header.limits.runSeconds;
  if (seconds === null) return;
  await sleep(seconds * 1000, { summary: 'execution.max_run_time' });
  interrupt({ kind: 'deadline', seconds });
}

/** Sleeps until the budget would be spent at the current rate; recalculates when the rate changes. */
async function guardBudget({ header, tasks, interrupt }: GuardedRun): Promise<void> {
  const budget = header.budget ?? null;
  if (budget === null) return;
  for (;;) {
    const rate = ratePerHour(tasks(), budget);
    const left = msUntilLimit(tasks(), budget, Date.now());
    if (left === 0) return interrupt({ kind: 'budget', budget });
    const isOther = (): boolean => ratePerHour(tasks(), budget) !== rate;
    await (left === null ? condition(isOther) : condition(isOther, left));
  }
}

/** Returns the run's own failure after an interruption; `undefined` where the tasks' outcomes explain it. */
export function whyInterrupted(reason: Interruption, tasks: readonly TaskSnapshot[]): TaskError | undefined {
  switch (reason.kind) {
    case 'deadline': {
      const message = `the run took longer than execution.max_run_time (${reason.seconds} s) and was torn down`;
      return { type: failureTypes.runTimeout, message };
    }
    case 'budget': {
      const { budget } = reason;
      const spent = costAt(tasks, budget, Date.now()).toFixed(2);
      const message = `the run reached execution.budget.limit (${budget.limit} ${budget.currency}) and was torn down; it cost ${spent} ${budget.currency}`;
      return { type: failureTypes.budgetExceeded, message };
    }
    case 'sibling':
      return undefined;
    case 'fault': {
      const { type, message } = reason.error;
      return { type, message: `the run's limits could not be enforced, so it was torn down: ${message}` };
    }
  }
}
