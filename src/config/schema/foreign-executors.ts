/**
 * Keys that NeMo Evaluator Launcher 0.1 and 0.2 define for its other executors and for its exporters: those of its presets, its
 * code and its documentation. On Lepton they have no effect, or another key has the same meaning. Data only, shared by the
 * checks and by `migrate`.
 */

export type ForeignTool = 'local' | 'slurm' | 'export';

export interface ForeignKey {
  /** Dotted path. Everything below it is foreign too. */
  readonly path: string;
  /** What uses it. */
  readonly of: ForeignTool;
  /** The key with the same meaning here, to which a value is moved. */
  readonly equivalent?: string;
  /** What does the same here, when there is no single key for it. */
  readonly instead?: string;
}

const slurm = (path: string, more: Omit<ForeignKey, 'path' | 'of'> = {}): ForeignKey => ({
  path,
  of: 'slurm',
  ...more,
});

const shape = 'deployment.lepton_config.resource_shape';
const replicas = 'deployment.lepton_config.min_replicas';

export const foreignKeys: readonly ForeignKey[] = [
  { path: 'execution.mode', of: 'local', instead: 'execution.max_parallel_endpoints' },
  { path: 'execution.extra_docker_args', of: 'local' },
  { path: 'execution.parallel_jobs', of: 'local', instead: 'execution.max_parallel_endpoints' },
  { path: 'execution.executor', of: 'local' },
  slurm('execution.hostname'),
  slurm('execution.username'),
  slurm('execution.account'),
  slurm('execution.partition'),
  slurm('execution.cpu_partition'),
  slurm('execution.num_nodes', { instead: shape }),
  slurm('execution.nodes', { instead: shape }),
  slurm('execution.num_instances', { instead: replicas }),
  slurm('execution.num_nodes_per_instance', { instead: shape }),
  slurm('execution.ntasks_per_node'),
  slurm('execution.gres', { instead: shape }),
  slurm('execution.gpus_per_node', { instead: shape }),
  slurm('execution.walltime', { equivalent: 'execution.evaluation_tasks.timeout' }),
  slurm('execution.time_limit', { equivalent: 'execution.evaluation_tasks.timeout' }),
  slurm('execution.max_walltime', { instead: 'execution.max_run_time' }),
  slurm('execution.endpoint_readiness_timeout', {
    equivalent: 'execution.lepton_platform.deployment.endpoint_readiness_timeout',
  }),
  slurm('execution.subproject'),
  slurm('execution.sbatch_comment'),
  slurm('execution.batch_comment'),
  slurm('execution.sbatch_extra_flags'),
  slurm('execution.deployment'),
  slurm('execution.proxy', { instead: replicas }),
  slurm('execution.mounts.deployment', { equivalent: 'deployment.lepton_config.mounts' }),
  slurm('execution.mounts.evaluation', { equivalent: 'execution.lepton_platform.tasks.mounts' }),
  slurm('execution.mounts'),
  slurm('execution.evaluation_gpu_visible', { instead: 'execution.evaluation_tasks.resource_shape' }),
  slurm('execution.eval_ray_cluster'),
  slurm('execution.eval_ray_port'),
  slurm('execution.eval_ray_dashboard_port'),
  slurm('execution.eval_ray_ready_timeout'),
  slurm('execution.eval_per_node_pre_cmd', { instead: 'evaluation.pre_cmd' }),
  slurm('execution.heartbeat'),
  slurm('execution.slurm'),
  slurm('deployment.multiple_instances', { instead: replicas }),
  slurm('deployment.num_instances', { instead: replicas }),
  slurm('deployment.nodes_per_instance', { instead: shape }),
  slurm('deployment.n_tasks'),
  slurm('deployment.cache_path', { instead: 'deployment.lepton_config.mounts' }),
  slurm('deployment.data_parallel_size_local', { instead: shape }),
  slurm('deployment.distributed_executor_backend'),
  slurm('deployment.haproxy_port'),
  slurm('deployment.health_check_path'),
  slurm('deployment.health_check_status'),
  slurm('cluster'),
  { path: 'execution.auto_export.launcher_install_cmd', of: 'export' },
  { path: 'execution.auto_export.export_image', of: 'export' },
  { path: 'execution.auto_export.export_mounts', of: 'export' },
  { path: 'execution.exporters', of: 'export' },
  { path: 'execution.metadata', of: 'export' },
  { path: 'user_provided_metadata', of: 'export' },
  { path: 'target.api_endpoint.type', of: 'local', instead: 'evaluation.tasks.N.endpoint_type' },
  { path: 'export.mlflow.job_dirs', of: 'export' },
  { path: 'export.wandb.job_dirs', of: 'export' },
  { path: 'export.local.job_dirs', of: 'export' },
  { path: 'export.gsheets.job_dirs', of: 'export' },
  { path: 'exporters', of: 'export' },
];

/** Choices of the group `execution` in the launcher's presets that are other executors. */
export const foreignExecutors: readonly string[] = ['local', 'slurm', 'slurm/default'];

/** Returns the entry for a path or for the nearest section that contains it; `undefined` if no tool defines it. */
export function foreignKey(path: readonly (string | number)[]): ForeignKey | undefined {
  const dotted = path.join('.');
  return foreignKeys
    .filter((key) => dotted === key.path || dotted.startsWith(`${key.path}.`))
    .toSorted((a, b) => b.path.length - a.path.length)[0];
}
