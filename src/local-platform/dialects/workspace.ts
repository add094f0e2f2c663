import { cpus, totalmem } from 'node:os';
import { withoutNulls, type JsonObject } from '../json';
import type { NodeGroupRecord } from '../state/records';
import { shapes, type Shape } from '../workspace/shapes';

/** JSON of the workspace, its shapes and its node groups. */

export interface WorkspaceFacts {
  readonly name: string;
  readonly newDialect: boolean;
  readonly secureEndpoints: boolean;
  /** Kind of the runtime that runs deployments and jobs. */
  readonly runtime: string;
  readonly usedBytes: number;
  readonly deployments: number;
  readonly pods: number;
  readonly jobs: number;
  readonly secrets: number;
}

const memoryInMib = (): number => Math.floor(totalmem() / 2 ** 20);

/** Returns an object with the keys that `leptonai` 0.27.3 and 0.47.1 require. */
export function workspaceOf(facts: WorkspaceFacts): JsonObject {
  const machine = { cpu: cpus().length, memory: memoryInMib(), accelerator_num: 0 };
  return {
    build_time: '2026-01-01T00:00:00Z',
    git_commit: 'evalsaga-local-platform',
    workspace_name: facts.name,
    workspace_tier: 'local',
    workspace_state: 'normal',
    // Not part of Lepton's API: it lets evalsaga tell simulated results from real ones.
    evalsaga_runtime: facts.runtime,
    supported_shapes: Object.fromEntries(shapes.map((shape) => [shape.name, supportedShape(shape)])),
    workspace_disk_usage_bytes: facts.usedBytes,
    workloads: {
      num_deployments: facts.deployments,
      num_jobs: facts.jobs,
      num_pods: facts.pods,
      num_secrets: facts.secrets,
      num_image_pull_secrets: 0,
      num_photons: 0,
    },
    resource_quota: { limit: machine, used: { cpu: 0, memory: 0, accelerator_num: 0 } },
    service_quota: { limit: { kv_store_num: 0, queue_num: 0 }, used: { kv_store_num: 0, queue_num: 0 } },
    ...featuresOf(facts),
  };
}

/** A workspace without any of them doesn't send the key, as older ones. */
function featuresOf({ newDialect, secureEndpoints }: WorkspaceFacts): JsonObject {
  const features = {
    ...(newDialect ? { enable_new_deployment_api: true } : {}),
    ...(secureEndpoints ? { enable_secure_endpoint_defaults: true } : {}),
  };
  return Object.keys(features).length === 0 ? {} : { features };
}

const supportedShape = (shape: Shape): JsonObject =>
  withoutNulls({
    description: shape.description,
    cpu: shape.cpu,
    memory: shape.memory,
    accelerator_type: shape.acceleratorType,
    accelerator_num: shape.acceleratorNum,
  });

export const shapeOf = (shape: Shape): JsonObject => ({
  metadata: { id: shape.name, name: shape.name },
  spec: withoutNulls({
    name: shape.name,
    description: shape.description,
    cpu: shape.cpu,
    memory_in_mb: shape.memory,
    accelerator_type: shape.acceleratorType,
    accelerator_num: shape.acceleratorNum,
    accelerator_memory_in_mb: shape.acceleratorMemory,
  }),
});

export const nodeGroupOf = (group: NodeGroupRecord, volumes: readonly string[]): JsonObject => ({
  metadata: { id: group.id, name: group.name, created_at: group.createdAt },
  spec: {
    desired_nodes: group.nodes.length,
    volumes: volumes.map((name) => ({ from: 'nfs', name, size_in_gb: 0, from_path: '/', default_mount_path: '/mnt' })),
  },
  status: { ready_nodes: group.nodes.length, quota_enabled: true },
});

export const nodesOf = (group: NodeGroupRecord): JsonObject[] =>
  group.nodes.map((node) => ({
    metadata: { id: node.id, name: node.id },
    spec: {
      unschedulable: false,
      dedicated_node_group: group.id,
      resource: {
        cpu: { type: cpus()[0]?.model ?? 'unknown', allocated: 0, total: cpus().length },
        memory: { allocated: 0, total: memoryInMib() },
        gpu: { product: '', allocated: 0, total: 0 },
      },
    },
    status: { status: ['Ready'], workloads: [] },
  }));
