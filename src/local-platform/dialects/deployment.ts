import { withoutNulls, type JsonObject } from '../json';
import type { StoredEvent } from '../state/records';
import { desiredReplicas, type DeploymentView } from '../workspace/deployments';

/** JSON of deployments in the classic dialect (`/deployments`). Pure. */

export function deploymentOf({ record, observed }: DeploymentView): JsonObject {
  const stopped = desiredReplicas(record) === 0 && (observed.state === 'Stopped' || observed.state === 'Stopping');
  return {
    metadata: {
      ...record.metadata,
      id: record.name,
      name: record.name,
      created_at: record.createdAt,
      last_modified_at: record.modifiedAt,
      version: record.version,
    },
    spec: record.spec,
    status: withoutNulls({
      // Old clients don't know the state "Stopped": they get "Not Ready", and `phase` has the actual state.
      state: stopped ? 'Not Ready' : observed.state,
      phase: observed.state,
      endpoint: { internal_endpoint: observed.url ?? '', external_endpoint: observed.url ?? '' },
      ready_replicas: observed.readyReplicas,
      autoscaler_status: { desired_replicas: desiredReplicas(record) },
      message: observed.message,
    }),
  };
}

export const replicaId = (resource: string): string => `${resource}-r0`;

/** Returns the only replica of a deployment or job. */
export function replicaOf(resource: string, details: { createdAt: number; node: string }): JsonObject {
  const id = replicaId(resource);
  return {
    id,
    metadata: { id, name: id, created_at: details.createdAt },
    status: { node: { id: details.node, name: details.node } },
  };
}

const readinessReasons: Readonly<Record<string, string>> = {
  Ready: 'Ready',
  Starting: 'InProgress',
  Updating: 'InProgress',
  Scaling: 'InProgress',
  Restarting: 'InProgress',
  Migrating: 'InProgress',
  'Not Ready': 'InProgress',
  Queueing: 'Queueing',
  Deleting: 'Deleting',
  Stopping: 'Deleting',
  Error: 'SystemError',
};

/** Returns `{replica: [{reason, message, creationTimestamp}]}`; empty for a deployment without a replica. */
export function readinessOf({ record, observed }: DeploymentView): JsonObject {
  if (!hasReplica(observed.state)) return {};
  const issue = {
    reason: readinessReasons[observed.state] ?? 'Unknown',
    message: observed.message ?? '',
    creationTimestamp: new Date(record.events.at(-1)?.at ?? record.createdAt).toISOString(),
  };
  return { [replicaId(record.name)]: [issue] };
}

/** Returns how the replica ended; empty unless it failed. Times are in seconds. */
export function terminationOf({ record, observed }: DeploymentView): JsonObject {
  if (observed.state !== 'Error') return {};
  const { termination: reported } = observed;
  const endedAt = reported?.finishedAt ?? record.events.at(-1)?.at ?? record.createdAt;
  const termination = {
    started_at: Math.floor(record.createdAt / 1000),
    finished_at: Math.floor(endedAt / 1000),
    exit_code: reported?.exitCode ?? 1,
    reason: reported?.reason ?? 'Error',
    message: observed.message ?? '',
  };
  return { [replicaId(record.name)]: [termination] };
}

export const hasReplica = (state: string): boolean => state !== 'Stopped';

export function eventOf(event: StoredEvent, regarding: { kind: string; name: string }): JsonObject {
  return withoutNulls({
    type: event.type,
    reason: event.reason,
    message: event.message,
    count: 1,
    last_observed_time: new Date(event.at).toISOString(),
    regarding,
  });
}
