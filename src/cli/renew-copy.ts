import type { RunPlan } from '../contract/plan';
import { refreshCopy } from '../runs/local-results';
import { messageOf } from '../support/error-message';
import type { CommandContext } from './command';

/**
 * Renews a whole copy of a run's results on this machine, which other commands read instead of the store into which results have just
 * come. Warns if it can't. `isStored`: the run was started on this host.
 */
export async function renewCopy(
  plan: RunPlan | undefined,
  { isStored, context }: { readonly isStored: boolean; readonly context: CommandContext },
): Promise<void> {
  const { home, env, output } = context;
  if (plan === undefined) return;
  await refreshCopy(plan, { home, env, isStored }).catch((error: unknown) =>
    output.warn(
      `the copy of its results on this machine is as before (${messageOf(error)}); renew it with: evalsaga fetch ${plan.invocation}`,
    ),
  );
}
