import { tokenOwnerOf, tokenSecretName, type TokenOwner } from '../contract/endpoint-token';
import { LeptonError } from '../lepton/lepton-error';
import type { CallOptions, LeptonClient } from '../lepton/types';
import type { MarkedResource } from './marked';
import type { OwnerState, SweepRule } from './orphans';

/**
 * Secrets of the workspace that hold the tokens made for endpoints. They go with their endpoint; found here are those of runs that
 * could not remove them. Without its endpoint a token opens nothing, so no failure about one stops anything else.
 */

/** A secret with a made token. */
export interface StoredToken extends TokenOwner {
  readonly kind: 'secret';
  readonly name: string;
}

/** Lists the made tokens that the workspace keeps; none if it does not list its secrets. */
export async function findTokens(client: LeptonClient, options: CallOptions = {}): Promise<StoredToken[]> {
  const names = await client.listSecretNames(options).catch((error: unknown) => {
    if (error instanceof LeptonError) return [];
    throw error;
  });
  return names.flatMap((name) => {
    const owner = tokenOwnerOf(name);
    return owner === undefined ? [] : [{ kind: 'secret', name, ...owner }];
  });
}

/** Whether a token has outlived its run. One with an endpoint goes with that. `endpoints`: the names of all of ours. Pure. */
export function isOrphanToken(
  { endpoint }: StoredToken,
  owner: OwnerState,
  { endpoints, rule }: { readonly endpoints: ReadonlySet<string>; readonly rule: SweepRule },
): boolean {
  // The listing doesn't tell their age or origin: of a run that this Temporal doesn't know, nothing is certain.
  return !endpoints.has(endpoint) && owner.kind === 'closed' && rule.now.temporal - owner.closedAt > rule.graceMs;
}

/** Removes the token of an endpoint that was removed. A failure leaves it to the next sweep. */
export async function removeTokenOf(client: LeptonClient, resource: MarkedResource): Promise<void> {
  const name = tokenSecretName(resource.invocation, resource.name);
  if (resource.kind !== 'endpoint' || !refersTo(resource.spec['api_tokens'], name)) return;
  await client.deleteSecret(name).catch((error: unknown) => {
    if (!(error instanceof LeptonError)) throw error;
  });
}

const refersTo = (tokens: unknown, name: string): boolean =>
  Array.isArray(tokens) &&
  tokens.some((token: { value_from?: { token_name_ref?: unknown } }) => token.value_from?.token_name_ref === name);
