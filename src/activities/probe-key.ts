import type { Owner } from '../contract/inputs/owner';
import type { ProbeSpec } from '../contract/plan';
import type { Deployment, LeptonClient } from '../lepton/types';
import type { ActivityDependencies } from './dependencies';
import { knownToken } from './endpoint-token';

/** The endpoint that is asked, as the platform shows it; `undefined`: an existing endpoint, or one that is not there. */
export interface AskedEndpoint {
  readonly client: LeptonClient;
  readonly name: string;
  readonly deployment: Deployment | undefined;
}

/** Returns the API key for requests to an endpoint; `null`: it has none, or only the workspace knows it. */
export async function probeKeyOf(
  dependencies: Pick<ActivityDependencies, 'hostSecrets'>,
  { probe, ...run }: Pick<Owner, 'invocation' | 'secretsAt'> & { readonly probe: ProbeSpec },
  asked?: AskedEndpoint,
): Promise<string | null> {
  const { invocation } = run;
  switch (probe.token?.kind) {
    case undefined:
    case 'workspace':
      return null;
    case 'made':
      return asked === undefined ? null : knownToken(asked.client, { invocation, name: asked.name }, asked.deployment);
    case 'host': {
      const resolve = await dependencies.hostSecrets(run);
      return resolve(probe.token.name);
    }
  }
}
