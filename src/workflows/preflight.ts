import type { Admission, RunInput, RunWords } from '../contract/inputs/run';
import type { RunPlan } from '../contract/plan';
import { ownerIn } from '../contract/owner';
import { resultsPlaceOf } from '../contract/results-place';
import { changeWithFreshBudgets } from './activity-groups';

/** Has a worker try what the run will need of it, before anything is created; returns its terms. Rejects if the run can't work. */
export async function preflight({ plan, preflight: expected }: RunInput): Promise<Admission> {
  // Runs that an older build began have no such step.
  if (expected === undefined) return {};
  const admission = await changeWithFreshBudgets('try what the run will need', (activities) =>
    activities.preflight({ ...ownerIn(plan, 0), expected, place: resultsPlaceOf(plan), about: aboutOf(plan) }),
  );
  // An older worker says nothing.
  return admission ?? {};
}

const aboutOf = ({ owner, model, name, tasks }: RunPlan): RunWords => ({
  ...{ owner, model, tasks: tasks.length },
  ...(name === undefined ? {} : { name }),
});
