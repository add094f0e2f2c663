import { tokenSecretName } from '../contract/endpoint-token';
import type { NamedEndpoint, RemovedEndpoint } from '../contract/inputs/endpoint';
import type { EndpointPlan } from '../contract/plan';
import type { LeftResource } from '../contract/state';

/** Returns the part of a removal's input that says whether a token is to be removed as well. */
export const hasMadeToken = (endpoint: EndpointPlan): Pick<NamedEndpoint, 'hasMadeToken'> =>
  endpoint.kind === 'dedicated' && endpoint.spec.apiTokens.some(({ kind }) => kind === 'made')
    ? { hasMadeToken: true }
    : {};

/** Returns the secret with the token of a removed endpoint, if it is left. `removed`: nothing from older workers. */
export function tokenLeftOf(
  { invocation, name }: Pick<NamedEndpoint, 'invocation' | 'name'>,
  removed: RemovedEndpoint | null | undefined,
): readonly LeftResource[] {
  const reason = removed?.tokenLeft;
  return reason === undefined ? [] : [{ kind: 'secret', name: tokenSecretName(invocation, name), reason }];
}
