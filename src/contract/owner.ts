import type { Owner } from './inputs/owner';
import type { RunPlan } from './plan';
import { resultsPlaceOf } from './results-place';

type Owning = Pick<RunPlan, 'platform' | 'invocation' | 'outputDir' | 'resultsStore' | 'sealedSecrets'>;

/** Returns whose resources an activity for a task works on. Pure. */
export const ownerIn = (run: Owning, index: number): Owner => ({
  platform: run.platform,
  invocation: run.invocation,
  index,
  ...(run.sealedSecrets ? { secretsAt: resultsPlaceOf(run) } : {}),
});
