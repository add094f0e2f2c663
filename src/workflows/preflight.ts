import type { RunInput } from '../contract/inputs';
import { ownerIn } from '../contract/owner';
import { resultsPlaceOf } from '../contract/results-place';
import { changeWithFreshBudgets } from './activity-groups';

/** Has a worker try what the run will need of it, before anything is created. Rejects if the run can't work. */
export async function preflight({ plan, preflight: expected }: RunInput): Promise<void> {
  // Runs that an older build began have no such step.
  if (expected === undefined) return;
  await changeWithFreshBudgets('try what the run will need', (activities) =>
    activities.preflight({ ...ownerIn(plan, 0), expected, place: resultsPlaceOf(plan) }),
  );
}
