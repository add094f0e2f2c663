import type { CallOptions, Deployment, LeptonClient } from '../lepton/types';

/** A deployment's state, folded to what a waiting task does about it. */
export type DeploymentState =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'pending' }
  | { readonly kind: 'failed'; readonly name: string; readonly message: string | undefined }
  | { readonly kind: 'absent'; readonly message?: undefined };

/** States from which an endpoint does not come to serve by itself. `failed` is not in the SDK; the launcher knows it. */
const failedStates = new Set(['error', 'failed', 'stopped', 'stopping', 'deleting']);

/**
 * Ready needs the platform's word, a URL, and a replica that is up: `Ready` with no replica (scaled to zero, or the two
 * disagree) still waits. Unknown states wait too. Pure.
 */
export function readDeploymentState(deployment: Deployment | undefined): DeploymentState {
  if (!deployment) return { kind: 'absent' };
  const status = deployment.status;
  const state = (status?.state ?? '').toLowerCase();
  const phase = (status?.phase ?? '').toLowerCase();
  const failed = [state, phase].find((name) => failedStates.has(name));
  if (failed !== undefined)
    return { kind: 'failed', name: status?.phase ?? status?.state ?? failed, message: status?.message };
  const url = status?.endpoint?.external_endpoint ?? '';
  const replicas = status?.ready_replicas;
  if (state === 'ready' && url !== '' && (replicas === undefined || replicas > 0)) {
    return { kind: 'ready', url: url.replace(/\/+$/, '') };
  }
  return { kind: 'pending' };
}

/** One line on the deployment's own status: `Starting, replica 0`. Pure. */
export function describeDeployment(deployment: Deployment | undefined): string {
  if (!deployment) return 'not on the platform';
  const { status } = deployment;
  const state = status?.phase ?? status?.state ?? 'no state yet';
  const parts = [state];
  if (status?.ready_replicas !== undefined && state !== 'Starting')
    parts.push(`${status.ready_replicas} replicas ready`);
  if (state === 'Ready' && !status?.endpoint?.external_endpoint) parts.push('no URL yet');
  return `${parts.join(', ')}${status?.message ? `: ${status.message}` : ''}`;
}

/** Why the endpoint is not up, in the platform's words; empty when it says nothing (or can't be asked now). */
export async function explainDeployment(client: LeptonClient, name: string, options: CallOptions): Promise<string> {
  try {
    const issues = await client.deploymentIssues(name, options);
    const texts = issues
      .filter(({ reason }) => reason !== 'Ready')
      .map(({ reason, message }) => (message ? `${reason}: ${message}` : reason));
    return [...new Set(texts)].slice(0, 3).join('; ');
  } catch {
    return '';
  }
}
