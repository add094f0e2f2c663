import type { Owner } from '../contract/inputs';
import type { ProbeSpec } from '../contract/plan';
import type { ActivityDependencies } from './dependencies';

/** Returns the API key for requests to an endpoint; `null`: it has none, or only the workspace knows it. */
export async function probeKeyOf(
  dependencies: Pick<ActivityDependencies, 'hostSecrets'>,
  { invocation, probe }: Pick<Owner, 'invocation'> & { readonly probe: ProbeSpec },
): Promise<string | null> {
  if (probe.token?.kind !== 'host') return null;
  const resolve = await dependencies.hostSecrets(invocation);
  return resolve(probe.token.name);
}
