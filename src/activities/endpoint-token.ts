import { createHash } from 'node:crypto';
import { tokenSecretName } from '../contract/endpoint-token';
import type { EndpointSpec } from '../contract/plan';
import { LeptonError } from '../lepton/lepton-error';
import { tokenDigestOf, type MadeToken } from '../lepton/render-spec';
import type { Deployment, LeptonClient } from '../lepton/types';

/**
 * The token that evalsaga makes for an endpoint. The workspace keeps it as a secret, to which endpoint and job refer; the probe
 * has it from the client, since nobody can read a secret of the workspace. It is in no history, plan or file.
 */

interface TokenFor {
  readonly invocation: string;
  /** The endpoint's name. */
  readonly name: string;
}

/** Characters of a token's digest: enough to tell tokens apart, too few to find one. */
const digestLength = 12;

const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex').slice(0, digestLength);

/** Tokens that this process has stored: its credentials may change while a run is open. */
const stored = new Map<string, string>();

function remember({ name, value }: { readonly name: string; readonly value: string }): void {
  // Bounds memory: what is forgotten can still be derived from the credentials.
  if (stored.size > 10_000) stored.clear();
  stored.set(name, value);
}

/** Returns the reference to this endpoint's made token. */
export function madeTokenFor(client: LeptonClient, { invocation, name }: TokenFor): MadeToken {
  const secret = tokenSecretName(invocation, name);
  return { secret, digest: digestOf(client.madeToken(secret)) };
}

/** Stores the token in the workspace, before the endpoint that refers to it is created. */
export async function storeToken(client: LeptonClient, owner: TokenFor): Promise<void> {
  const name = tokenSecretName(owner.invocation, owner.name);
  const secret = { name, value: client.madeToken(name) };
  try {
    await client.createSecret(secret);
    remember(secret);
  } catch (error) {
    if (!isTaken(error)) throw explained(error);
    if (error.kind !== 'conflict' && !(await client.listSecretNames()).includes(name)) throw explained(error);
    // Of an earlier attempt. If a worker with other credentials made it, this one doesn't know its value, and only an endpoint
    // that exists already depends on it.
    if (await client.getDeployment(owner.name)) return;
    await client.deleteSecret(name);
    await client.createSecret(secret);
    remember(secret);
  }
}

/** Platforms disagree about the status for a name that is taken. */
const isTaken = (error: unknown): error is LeptonError =>
  error instanceof LeptonError && (error.kind === 'conflict' || error.kind === 'invalid_request');

function explained(error: unknown): unknown {
  if (!(error instanceof LeptonError) || error.kind === 'network' || error.kind === 'server') return error;
  const { kind, request, status, retryAfterMs, pace } = error;
  const advice =
    "The endpoint's own token is kept as a secret of the workspace. Without one, name a key of yours (deployment.lepton_config.api_tokens), or leave the endpoint open (deployment.lepton_config.allow_unauthenticated_access)";
  const details = { kind, request, status, retryAfterMs, pace, cause: error };
  return new LeptonError(`${error.message}. ${advice}`, details);
}

/** A token's secret that could not be removed. */
interface TokenLeft {
  readonly reason: string;
  /** Another try may succeed: the platform did not say that it won't. */
  readonly mayPass: boolean;
}

/**
 * Removes the token's secret once its endpoint is gone. Returns why it is left; `undefined`: it is gone. A token without its
 * endpoint opens nothing, so this must not make an endpoint look as if it were still there.
 */
export async function removeToken(client: LeptonClient, owner: TokenFor): Promise<TokenLeft | undefined> {
  try {
    await client.deleteSecret(tokenSecretName(owner.invocation, owner.name));
    stored.delete(tokenSecretName(owner.invocation, owner.name));
    return undefined;
  } catch (error) {
    if (!(error instanceof LeptonError)) throw error;
    return { reason: error.message, mayPass: error.kind !== 'forbidden' && error.kind !== 'invalid_request' };
  }
}

/** Whether a made token opens this endpoint. */
export const hasMadeToken = ({ apiTokens }: Pick<EndpointSpec, 'apiTokens'>): boolean =>
  apiTokens.some(({ kind }) => kind === 'made');

/** Returns the made token if this worker knows it; `null`: a worker with other credentials made it. */
export function knownToken(client: LeptonClient, owner: TokenFor, deployment: Deployment | undefined): string | null {
  const name = tokenSecretName(owner.invocation, owner.name);
  const digest = tokenDigestOf(deployment?.spec.envs);
  const candidates = [client.madeToken(name), stored.get(name)];
  return candidates.find((token) => token !== undefined && digestOf(token) === digest) ?? null;
}
