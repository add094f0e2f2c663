import type { CallOptions, Deployment, LeptonClient, PlatformEvent, ReadinessIssue } from './types';

/** A deployment's state, folded to what a waiting task does about it. */
export type DeploymentState =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'pending' }
  | { readonly kind: 'failed'; readonly name: string }
  | { readonly kind: 'absent' };

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
  if (failed !== undefined) return { kind: 'failed', name: status?.phase || status?.state || failed };
  const url = status?.endpoint?.external_endpoint ?? '';
  const replicas = status?.ready_replicas;
  if (state === 'ready' && url !== '' && (replicas === undefined || replicas > 0)) {
    return { kind: 'ready', url: url.replace(/\/+$/, '') };
  }
  return { kind: 'pending' };
}

/** Whether it was told to go already. Pure. */
export const isDeleting = ({ status }: Deployment): boolean =>
  (status?.phase || status?.state || '').toLowerCase() === 'deleting';

/** What the platform says beside the status: per replica why it is not ready, and the history. */
export interface StateDetails {
  readonly issues: readonly ReadinessIssue[];
  readonly events: readonly PlatformEvent[];
}

/** Reasons that only repeat what the state says. */
const uninformativeReasons = new Set(['ready', 'inprogress', 'systemerror', 'unknown', 'deleting', 'deleted']);

/**
 * One line on where the deployment stands: state, replicas, and why, each said once: `Starting: pulling image`,
 * `Starting, 0 of 2 replicas ready: NoCapacity: no h200 is free`. Pure.
 */
export function describeDeployment(deployment: Deployment | undefined, circumstances?: StateDetails): string {
  if (!deployment) return 'not on the platform';
  const { status } = deployment;
  const state = status?.phase || status?.state || 'no state yet';
  const isReady = state.toLowerCase() === 'ready';
  const parts = [state, ...describeReplicas(deployment)];
  if (isReady && !status?.endpoint?.external_endpoint) parts.push('no URL yet');
  // Events are of states that it has passed: none of them says why one that is Ready is not used yet.
  const why = reasonsOf(deployment, circumstances && isReady ? { ...circumstances, events: [] } : circumstances);
  return `${parts.join(', ')}${why === '' ? '' : `: ${why}`}`;
}

/** Worth a word when there are several, or when there are none although the state says Ready. */
function describeReplicas({ spec, status }: Deployment): string[] {
  const ready = status?.ready_replicas;
  if (ready === undefined) return [];
  const wanted = desiredReplicas(spec, status ?? {});
  if (wanted !== undefined && wanted > 1) return [`${ready} of ${wanted} replicas ready`];
  return ready === 0 && status?.state.toLowerCase() === 'ready' ? ['but no replica is up'] : [];
}

/** As the service's own client counts them: the autoscaler's word first, then what was asked for. */
function desiredReplicas(spec: Deployment['spec'], status: object): number | undefined {
  const scaler = numberIn((status as Record<string, unknown>)['autoscaler_status'], 'desired_replicas');
  return scaler ?? numberIn(spec['resource_requirement'], 'min_replicas');
}

function numberIn(value: unknown, key: string): number | undefined {
  const found: unknown =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return typeof found === 'number' ? found : undefined;
}

/** Why it is in this state, in the platform's words, each text once; empty when it says nothing. Pure. */
export function reasonsOf(deployment: Deployment | undefined, circumstances?: StateDetails): string {
  const state = deployment?.status?.phase ?? deployment?.status?.state ?? '';
  const said = (circumstances?.issues ?? []).map(({ reason, message }) => describeReason(reason, message, state));
  const own = deployment?.status?.message ?? '';
  const texts = [...said, own].filter((text) => text !== '');
  if (texts.length === 0) return latestEvent(circumstances?.events ?? [], state);
  const once = texts.filter((text, index) => {
    const says = (other: string, at: number): boolean =>
      at !== index && other.includes(text) && (other !== text || at < index);
    return !texts.some(says);
  });
  return once.slice(0, 3).join('; ');
}

function describeReason(reason: string, message: string, state: string): string {
  const telling = uninformativeReasons.has(reason.toLowerCase()) || reason === state ? '' : reason;
  return [telling, message].filter((text) => text !== '').join(': ');
}

/** The newest line of the history that says more than the state, e.g. `FailedScheduling`, `Pulling: image vllm`. Pure. */
export function latestEvent(events: readonly PlatformEvent[], state: string): string {
  const telling = events
    .map(({ reason, message = '', last_observed_time: at }) => ({ text: describeReason(reason, message, state), at }))
    .filter(({ text }) => text !== '' && text !== 'Created')
    .sort((a, b) => (Date.parse(a.at) || 0) - (Date.parse(b.at) || 0));
  return telling.at(-1)?.text ?? '';
}

/** Asks for what the status does not say; empty where the platform has nothing (or can't be asked now). */
export async function readStateDetails(
  client: LeptonClient,
  deployment: Deployment | undefined,
  options: CallOptions,
): Promise<StateDetails> {
  const name = deployment?.metadata.name;
  if (name === undefined) return { issues: [], events: [] };
  const issues = (await emptyOnError(() => client.deploymentIssues(name, options))).filter(
    ({ reason }) => reason !== 'Ready',
  );
  const isSilent = reasonsOf(deployment, { issues, events: [] }) === '';
  return { issues, events: isSilent ? await emptyOnError(() => client.deploymentEvents(name, options)) : [] };
}

async function emptyOnError<T>(ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await ask();
  } catch {
    return [];
  }
}
