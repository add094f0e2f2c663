import type { CallOptions, Deployment, LeptonClient, PlatformEvent, ReadinessIssue } from './types';

/** A deployment's state, reduced to what matters to a waiting task. */
export type DeploymentState =
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'pending' }
  | { readonly kind: 'failed'; readonly name: string }
  | { readonly kind: 'absent' };

/** States from which an endpoint does not become ready by itself. `failed` is not in the SDK, but NeMo's launcher expects it. */
const failedStates = new Set(['error', 'failed', 'stopped', 'stopping', 'deleting']);

/**
 * Reads a deployment's state. It is ready if the platform says so and it has a URL and a ready replica: `Ready` without a
 * replica (scaled to zero, or inconsistent) is pending. Unknown states are pending, too. Pure.
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

/** Whether its deletion was requested already. Pure. */
export const isDeleting = ({ status }: Deployment): boolean =>
  (status?.phase || status?.state || '').toLowerCase() === 'deleting';

/** Explanations that the platform gives besides the status: why replicas are not ready, and events. */
export interface StateDetails {
  readonly issues: readonly ReadinessIssue[];
  readonly events: readonly PlatformEvent[];
}

/** Reasons that only repeat the state. */
const uninformativeReasons = new Set(['ready', 'inprogress', 'systemerror', 'unknown', 'deleting', 'deleted']);

/**
 * Describes a deployment's state in one line: state, replicas and reasons, without repetition. For example `Starting: pulling
 * image` or `Starting, 0 of 2 replicas ready: NoCapacity: no h200 is free`. Pure.
 */
export function describeDeployment(deployment: Deployment | undefined, circumstances?: StateDetails): string {
  if (!deployment) return 'not on the platform';
  const { status } = deployment;
  const state = status?.phase || status?.state || 'no state yet';
  const isReady = state.toLowerCase() === 'ready';
  const parts = [state, ...describeReplicas(deployment)];
  if (isReady && !status?.endpoint?.external_endpoint) parts.push('no URL yet');
  // Events are about past states: none explains why a Ready endpoint is not used yet.
  const why = reasonsOf(deployment, circumstances && isReady ? { ...circumstances, events: [] } : circumstances);
  return `${parts.join(', ')}${why === '' ? '' : `: ${why}`}`;
}

/** Mentions replicas if there are several, or none although the state is Ready. */
function describeReplicas({ spec, status }: Deployment): string[] {
  const ready = status?.ready_replicas;
  if (ready === undefined) return [];
  const wanted = desiredReplicas(spec, status ?? {});
  if (wanted !== undefined && wanted > 1) return [`${ready} of ${wanted} replicas ready`];
  return ready === 0 && status?.state.toLowerCase() === 'ready' ? ['but no replica is up'] : [];
}

/** Counts as the service's own client does: the autoscaler's number, else the one requested. */
function desiredReplicas(spec: Deployment['spec'], status: object): number | undefined {
  const scaler = numberIn((status as Record<string, unknown>)['autoscaler_status'], 'desired_replicas');
  return scaler ?? numberIn(spec['resource_requirement'], 'min_replicas');
}

function numberIn(value: unknown, key: string): number | undefined {
  const found: unknown =
    typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return typeof found === 'number' ? found : undefined;
}

/** Returns the platform's reasons for the state, without repetition; empty if it gives none. Pure. */
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

/** What only follows from a failure, and comes after it: why a container is not started again is not why it ended. */
const consequence = /restarting failed container|backoff limit/i;

/**
 * Returns the newest event that says more than the state, e.g. `FailedScheduling` or `Pulling: image vllm`; one that only follows from
 * another (`OOMKilled`, then `BackOff`) if there is no other; else empty. Pure.
 */
export function latestEvent(events: readonly PlatformEvent[], state: string): string {
  const telling = events
    .map(({ reason, message = '', last_observed_time: at }) => ({ text: describeReason(reason, message, state), at }))
    .filter(({ text }) => text !== '' && text !== 'Created')
    .sort((a, b) => (Date.parse(a.at) || 0) - (Date.parse(b.at) || 0));
  const causes = telling.filter(({ text }) => !consequence.test(text));
  return (causes.at(-1) ?? telling.at(-1))?.text ?? '';
}

/** Reads what the status does not say; empty if the platform has nothing, or does not answer. */
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
