import { IncompleteCollection } from '../results/transfer/collected';
import { HelperJobFailed } from '../results/transfer/through-job';
import { InARow } from './absences';
import type { Attempt } from './attempt';

/** Counts attempts whose helper jobs failed (used where there is no storage API): each attempt starts up to three. */
const helpersFailed = new InARow(3);

/** Returns what the helper jobs of an attempt failed with, once too many attempts in a row have; call once per failed attempt. */
export function whyHelpersFailed(error: unknown, { activity }: Pick<Attempt, 'activity'>): string | undefined {
  const isOfHelpers = error instanceof HelperJobFailed || error instanceof IncompleteCollection;
  return isOfHelpers && helpersFailed.isReached(activity, true) ? error.message : undefined;
}
