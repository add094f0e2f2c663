import { failureTypes } from './failure-types';
import type { RunSnapshot, TaskError, TaskOutcome, TaskSnapshot } from './state';

/** Outcome of a run in one word, derived only here. Resources left behind outrank everything else, because they cost money. */
export type Verdict = TaskOutcome | 'teardown incomplete';

/** Returns the outcome of a run's tasks. Pure. */
export function outcomeOf(
  tasks: readonly Pick<TaskSnapshot, 'outcome'>[],
  { cancelled }: { readonly cancelled: boolean },
): TaskOutcome {
  if (tasks.every(({ outcome }) => outcome === 'succeeded')) return 'succeeded';
  return cancelled ? 'cancelled' : 'failed';
}

/** Returns the verdict on an ended run. Pure. */
export const verdictOf = (outcome: TaskOutcome, { left }: Pick<RunSnapshot, 'left'>): Verdict =>
  left.length > 0 ? 'teardown incomplete' : outcome;

interface DescribedRun {
  readonly status: 'running' | TaskOutcome;
  readonly snapshot: Pick<RunSnapshot, 'left'>;
  readonly failure: TaskError | null;
}

/** Returns the status of a described run. A snapshot shortened to fit into a history may lack `left`, but the failure type tells. Pure. */
export function statusWordOf({ status, snapshot, failure }: DescribedRun): 'running' | Verdict {
  if (status === 'running') return 'running';
  return failure?.type === failureTypes.teardownIncomplete ? 'teardown incomplete' : verdictOf(status, snapshot);
}
