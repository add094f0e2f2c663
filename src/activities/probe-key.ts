import type { Owner } from '../contract/inputs';
import type { ProbeSpec } from '../contract/plan';
import type { ActivityDependencies } from './dependencies';

/** The key to ask an endpoint with; `null`: it has none, or one that only the workspace knows. */
export async function probeKeyOf(
  dependencies: Pick<ActivityDependencies, 'hostSecrets'>,
  { invocation, probe }: Pick<Owner, 'invocation'> & { readonly probe: ProbeSpec },
): Promise<string | null> {
  if (probe.token?.kind !== 'host') return null;
  const resolve = await dependencies.hostSecrets(invocation);
  return resolve(probe.token.name);
}
