/**
 * The fields of the specs that Lepton's own client (leptonai 0.47.1) can create, and where each comes from. A test compares the names
 * with that client's types, so that no field is forgotten.
 */

export type FieldSource =
  /** A key of the config that sets it. `[]` stands for an entry of a list. */
  | { readonly key: string }
  /** The run decides it. */
  | { readonly run: string }
  /** Nothing sets it. */
  | { readonly never: string };

export type FieldTable = Readonly<Record<string, FieldSource>>;

const defaults = 'execution.lepton_platform.deployment.platform_defaults';
const endpoints = 'execution.lepton_platform.deployment';
const jobs = 'execution.lepton_platform.tasks';
const lepton = 'deployment.lepton_config';

/** Returns the fields of a section whose keys have the same names below `at`. `fields`: paths; a list's entry is `name[]`. */
function alike(at: string, fields: string): FieldTable {
  const paths = fields.trim().split(/\s+/);
  return Object.fromEntries(paths.map((path) => [path.replaceAll('[]', ''), { key: `${at}.${path}` }]));
}

const byShape: FieldSource = { never: 'the resource shape decides it' };
const onePort: FieldSource = { never: 'the server has one port, which the ingress of the platform reaches' };
const provider: FieldSource = { never: 'the node group decides it; no client of Lepton sets it' };

const ports = (port: FieldSource): FieldTable => ({
  'container.ports': port,
  'container.ports.container_port': port,
  'container.ports.name': onePort,
  'container.ports.protocol': onePort,
  'container.ports.app_protocol': onePort,
  'container.ports.host_port': onePort,
  'container.ports.expose_strategies': onePort,
  'container.ports.enable_load_balancer': onePort,
});

const variables = (key: string): FieldTable => ({
  envs: { key },
  'envs.name': { key },
  'envs.value': { key },
  'envs.value_from': { key },
  'envs.value_from.secret_name_ref': { key },
});

const storageAttachments = `
  storage_attachments storage_attachments[].data_source_name storage_attachments[].attachments
  storage_attachments[].attachments[].mode storage_attachments[].attachments[].attach_with
  storage_attachments[].attachments[].profile_name`;
const queueing = 'queue_config queue_config.priority_class queue_config.can_be_preempted queue_config.can_preempt';
const reservation =
  'reservation_config reservation_config.reservation_id reservation_config.allow_burst_to_other_reservations';
const securityContext = 'user_security_context user_security_context.no_specific_user user_security_context.privileged';
const logs = 'log log.enable_collection log.save_termination_logs';
const metrics = 'metrics metrics.disable_pulling_from_replica';
const cache = `${lepton}.mounts`;

export const endpointFields: FieldTable = {
  ...alike(defaults, `${storageAttachments} ${queueing} ${reservation} ${securityContext} ${logs} ${metrics}`),
  ...alike(
    defaults,
    `health health.readiness health.readiness.require_approval health.liveness health.liveness.initial_delay_seconds
     health.liveness.tcp health.liveness.tcp.port image_pull_secrets ingress_timeout_seconds
     load_balance_config load_balance_config.least_request load_balance_config.least_request.choice_count
     load_balance_config.maglev routing_policy routing_policy.enable_header_based_replica_routing
     scheduling_policy scheduling_policy.replica_spread auth_config auth_config.ip_allowlist
     auth_config.lepton_workspace_token_auth auth_config.lepton_workspace_token_auth.remove_authorization_header`,
  ),
  ...alike(
    lepton,
    `auto_scaler auto_scaler.scale_down auto_scaler.scale_down.no_traffic_timeout
     auto_scaler.scale_down.not_ready_timeout auto_scaler.target_gpu_utilization_percentage
     auto_scaler.target_throughput auto_scaler.target_throughput.qpm auto_scaler.target_throughput.paths
     auto_scaler.target_throughput.methods allow_unauthenticated_access`,
  ),
  ...variables('deployment.envs'),
  ...ports({ key: 'deployment.port' }),
  container: { run: 'image, port and command' },
  'container.image': { key: 'deployment.image' },
  'container.command': { key: 'deployment.command' },
  resource_requirement: { run: 'shape, replicas and placement' },
  'resource_requirement.resource_shape': { key: `${lepton}.resource_shape` },
  'resource_requirement.min_replicas': { key: `${lepton}.min_replicas` },
  'resource_requirement.max_replicas': { key: `${lepton}.max_replicas` },
  'resource_requirement.shared_memory_size': { key: `${lepton}.shared_memory_size` },
  'resource_requirement.affinity': { run: 'node group and nodes' },
  'resource_requirement.affinity.allowed_dedicated_node_groups': { key: `${endpoints}.node_group` },
  'resource_requirement.affinity.allowed_nodes_in_node_group': { key: `${endpoints}.allowed_nodes` },
  'resource_requirement.affinity.allowed_providers': provider,
  'resource_requirement.resourse_affinity': { never: 'deprecated, for `affinity`' },
  'resource_requirement.cpu': byShape,
  'resource_requirement.memory': byShape,
  'resource_requirement.ephemeral_storage_in_gb': byShape,
  'resource_requirement.accelerator_type': byShape,
  'resource_requirement.accelerator_num': byShape,
  'resource_requirement.host_network': {
    never: "servers of several tasks would take each other's port on the node",
  },
  api_tokens: { key: `${lepton}.api_tokens` },
  'api_tokens.value': { key: `${lepton}.api_tokens` },
  'api_tokens.value_from': { key: `${lepton}.api_tokens` },
  'api_tokens.value_from.token_name_ref': { key: `${lepton}.api_tokens` },
  mounts: { key: cache },
  'mounts.path': { key: `${cache}.cache_path` },
  'mounts.mount_path': { key: `${cache}.mount_path` },
  'mounts.from': { key: `${jobs}.mounts[].from` },
  'mounts.mount_options': { never: 'a model cache is written by the first server that loads the model' },
  'mounts.mount_options.local_cache_size_mib': {
    never: 'the model is read once, when the server starts: a local cache would only take disk',
  },
  'mounts.mount_options.read_only': { never: 'a model cache is written by the first server that loads the model' },
  ingress_enabled: { never: 'the job reaches its endpoint through the ingress' },
  is_pod: { never: 'a pod serves nothing' },
};

const once: FieldSource = { run: 'an evaluation is one process' };

export const jobFields: FieldTable = {
  ...alike(jobs, `${storageAttachments} ${queueing} ${reservation} ${securityContext} ${logs} ${metrics}`),
  ...alike(
    jobs,
    `image_pull_secrets mounts mounts[].path mounts[].from mounts[].mount_path mounts[].mount_options
     mounts[].mount_options.local_cache_size_mib mounts[].mount_options.read_only`,
  ),
  ...variables(`${jobs}.env_vars`),
  ...ports({ never: 'nobody calls a job' }),
  container: { run: 'image and command' },
  'container.image': { key: 'evaluation.tasks[].container' },
  'container.command': { run: "the evaluation, and the task's `pre_cmd` and `post_cmd`" },
  resource_shape: { key: 'execution.evaluation_tasks.resource_shape' },
  shared_memory_size: { key: 'execution.evaluation_tasks.shared_memory_size' },
  ttl_seconds_after_finished: { key: 'execution.evaluation_tasks.ttl_after_finished' },
  affinity: { run: 'node group and nodes' },
  'affinity.allowed_dedicated_node_groups': { key: `${jobs}.node_group` },
  'affinity.allowed_nodes_in_node_group': { key: `${jobs}.allowed_nodes` },
  'affinity.allowed_providers': provider,
  completions: once,
  parallelism: once,
  intra_job_communication: once,
  segment_config: { never: 'an evaluation is one process' },
  'segment_config.count_per_segment': { never: 'an evaluation is one process' },
  max_failure_retry: {
    never: 'a second attempt would write into the folder of the first; start the run again instead',
  },
  max_job_failure_retry: {
    never: 'a second attempt would write into the folder of the first; start the run again instead',
  },
  stopped: { run: 'set when a run is cancelled' },
  time_schedule: { never: 'a job starts when its endpoint is ready' },
  'time_schedule.start_at': { never: 'a job starts when its endpoint is ready' },
};

/** What the client's states mean for a task that waits. */
export const endpointStates = {
  Ready: 'ready',
  'Not Ready': 'pending',
  Starting: 'pending',
  Updating: 'pending',
  Scaling: 'pending',
  Migrating: 'pending',
  Restarting: 'pending',
  Stopping: 'failed',
  Stopped: 'failed',
  Deleting: 'failed',
  Error: 'failed',
  UNK: 'pending',
  '': 'pending',
} as const;

export const jobStates = {
  Completed: 'completed',
  Failed: 'failed',
  Stopped: 'failed',
  Deleted: 'failed',
  Stopping: 'ending',
  Deleting: 'ending',
  Terminating: 'ending',
  Starting: 'pending',
  Running: 'pending',
  Restarting: 'pending',
  Queueing: 'pending',
  Awaiting: 'pending',
  PendingRetry: 'pending',
  UNK: 'pending',
  '': 'pending',
  // Its counters tell how it ended.
  Archived: 'failed',
} as const;

/** Returns `docs/lepton-fields.md`. */
export function fieldsText(): string {
  return [
    "# Lepton's specs, field by field",
    '',
    '<!-- Written by `npm run docs` from scripts/docs/lepton-fields.ts. -->',
    '',
    "Every field that Lepton's own client (leptonai 0.47.1) can create, and the key of the config that sets it.",
    '',
    '## Endpoints',
    '',
    ...tableOf(endpointFields),
    '',
    '## Jobs',
    '',
    ...tableOf(jobFields),
    '',
  ].join('\n');
}

function tableOf(fields: FieldTable): string[] {
  const rows = Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([field, source]) => `| \`${field}\` | ${inWords(source)} |`);
  return ['| field | set by |', '|---|---|', ...rows];
}

function inWords(source: FieldSource): string {
  if ('key' in source) return `\`${source.key}\``;
  return 'run' in source ? `the run: ${source.run}` : `not set: ${source.never}`;
}
