import { failureTypes } from './failure-types';
import type { RunSnapshot, TaskError, TaskOutcome, TaskSnapshot } from './state';

/** What came of a run: one word, derived here alone, wherever it is said. What is left behind outranks all else: it costs money. */
export type Verdict = TaskOutcome | 'teardown incomplete';

/** What came of a run's tasks. Pure. */
export function outcomeOf(
  tasks: readonly Pick<TaskSnapshot, 'outcome'>[],
  { cancelled }: { readonly cancelled: boolean },
): TaskOutcome {
  if (tasks.every(({ outcome }) => outcome === 'succeeded')) return 'succeeded';
  return cancelled ? 'cancelled' : 'failed';
}

/** Pure. */
export const verdictOf = (outcome: TaskOutcome, { left }: Pick<RunSnapshot, 'left'>): Verdict =>
  left.length > 0 ? 'teardown incomplete' : outcome;

interface Told {
  readonly status: 'running' | TaskOutcome;
  readonly snapshot: Pick<RunSnapshot, 'left'>;
  readonly failure: TaskError | null;
}

/** The same of a run that is described. What does not fit into a history may leave out what is left, but never its failure. Pure. */
export function statusWordOf({ status, snapshot, failure }: Told): 'running' | Verdict {
  if (status === 'running') return 'running';
  return failure?.type === failureTypes.teardownIncomplete ? 'teardown incomplete' : verdictOf(status, snapshot);
}
