import type { Deployment, LeptonClient } from '../lepton/types';
import { readStateDetails, describeDeployment, reasonsOf } from '../lepton/endpoint-state';
import { failureInLog } from './log-tail';

/** Returns why an endpoint failed, from the platform and the end of its log; empty if neither says. */
export async function whyFailed(
  client: LeptonClient,
  deployment: Deployment | undefined,
  signal: AbortSignal,
): Promise<string> {
  const reason = reasonsOf(deployment, await readStateDetails(client, deployment, { signal }));
  return withLog(client, deployment, { said: reason, signal });
}

/** Describes the state of an endpoint that is not Ready in one line, with the end of its log. */
export async function describeWithLog(
  client: LeptonClient,
  deployment: Deployment | undefined,
  signal: AbortSignal,
): Promise<string> {
  const said = describeDeployment(deployment, await readStateDetails(client, deployment, { signal }));
  return withLog(client, deployment, { said, signal });
}

async function withLog(
  client: LeptonClient,
  deployment: Deployment | undefined,
  { said, signal }: { readonly said: string; readonly signal: AbortSignal },
): Promise<string> {
  const name = deployment?.metadata.name;
  if (name === undefined) return said;
  const log = { deployment: name, createdAt: deployment?.metadata.created_at };
  return [said, await failureInLog(client, log, { said, signal })].filter((text) => text !== '').join('; ');
}
