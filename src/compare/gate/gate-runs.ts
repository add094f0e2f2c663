import { compareRuns, type ResultsPlace } from '../compare-runs';
import type { CompareOptions } from '../options';
import { applyPolicy, type GateReport } from './gate';
import { readPolicy } from './policy';

/**
 * Compares two results and applies a policy file of `nel gate` (see docs/comparing.md). Throws like `compareRuns`, and `UsageFault`
 * for a policy that is not valid.
 */
export async function gateRuns(
  { policy, ...sides }: { readonly base: ResultsPlace; readonly candidate: ResultsPlace; readonly policy: string },
  options: CompareOptions = {},
): Promise<GateReport> {
  const read = await readPolicy(policy);
  return applyPolicy(await compareRuns(sides, options), read);
}
