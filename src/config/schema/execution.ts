/** `execution`: where and how a run is carried out. Where defaults here and in the preset overlap they are the same, but for what only the preset offers (mounts, `platform_defaults`). */
import { defaultSkips } from '../../contract/skip-results';
import { choice, decimal, duration, flag, integer, listOf, orNull, recordOf, section, text } from './fields';
import { envMap, token } from './secrets';
import { imagePullSecrets, log, platformDefaults, queueConfig } from './wire';

/** A folder of a volume, mounted into a container. */
const mount = section({
  /** Volume: `node-nfs:NAME`, `node-local`, … */
  from: text(),
  /** Folder in the volume. */
  path: text({ pattern: /^\//, expected: 'an absolute path' }),
  /** Where the container sees it. */
  mount_path: text({ pattern: /^\/./, expected: 'an absolute path other than /' }),
  mount_options: section({
    local_cache_size_mib: integer({ min: 0 }).optional(),
    read_only: flag().optional(),
  }).optional(),
});

const evaluationTasks = section({
  /** Shape of the evaluation jobs; a CPU shape does, as the model runs in the endpoint. */
  resource_shape: text().default('cpu.small'),
  /** How long one evaluation may run. */
  timeout: duration().default(3600),
  /** Results go through workspace storage; there is no other way. */
  use_shared_storage: flag()
    .refine((value) => value, 'results travel through workspace storage: only true is possible')
    .default(true),
  /** How long the platform keeps a finished job when nobody removes it. */
  ttl_after_finished: duration().default(86_400),
  /** MiB of /dev/shm in the job. */
  shared_memory_size: integer({ min: 0, unit: 'MiB' }).default(1024),
});

const tasks = section({
  /** Node group of the jobs, by name or id; null: any. */
  node_group: orNull(text()),
  /** Variables of every job. */
  env_vars: envMap('literal'),
  /** The first is the run's storage: each run gets its own folder below `path`. Others are mounted as they are. */
  mounts: listOf(mount),
  image_pull_secrets: imagePullSecrets,
  queue_config: queueConfig.optional(),
  log: log.optional(),
  /** The key with which jobs call the endpoint, when it is not the endpoint's own first token. */
  api_tokens: listOf(token()),
});

/** Prices are per hour and replica of a shape; the run's endpoints are counted, and its jobs where their shape has a price. */
const budget = section({
  /** The run is cancelled, with teardown, when it has cost this much. */
  limit: decimal({ min: 0 }).refine((value) => value > 0, 'a limit is above zero'),
  /** Only shown. */
  currency: text({ pattern: /^[\w€$£¥]{1,12}$/, expected: 'a currency such as USD' }).default('USD'),
  /** Price per hour of one replica, by resource shape: `gpu.1xh200: 3.5`. */
  prices: recordOf(decimal({ min: 0 })),
});

export const execution = section(
  {
    type: choice('lepton'),
    /** Folder on this machine: results arrive in `<output_dir>/<invocation>`. */
    output_dir: text(),
    /** Variables of this host that every job gets. */
    env_var_names: listOf(text({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'the name of a variable' })),
    evaluation_tasks: evaluationTasks,
    lepton_platform: section({
      deployment: section({
        /** Node group of the endpoints, by name or id; null: any. */
        node_group: orNull(text()),
        /** How long an endpoint may take to get Ready. */
        endpoint_readiness_timeout: duration().default(1200),
        platform_defaults: platformDefaults,
      }),
      tasks,
    }),
    /** `all_ready`: jobs start when every endpoint is Ready; `as_ready`: each with its own endpoint. */
    start_policy: choice('all_ready', 'as_ready').default('all_ready'),
    /** Whether one failed task ends the others. */
    on_task_failure: choice('continue', 'abort').default('continue'),
    /** How many endpoints exist at once; null: one per task, all at once. */
    max_parallel_endpoints: orNull(integer({ min: 1 })),
    /** Keep the run's folder in workspace storage when its results are home. */
    keep_storage: flag().default(false),
    /** Bound on the whole run, teardown not included; null: none. */
    max_run_time: orNull(duration()),
    /** Bound on what the run may cost; null: nothing is counted. */
    budget: orNull(budget),
    /** How long teardown tries before it reports what is left. */
    teardown_timeout: duration().default(1800),
    /** Bytes of the largest result folder that is brought home per task. */
    max_result_size: integer({ min: 1, unit: 'bytes' }).default(2_147_483_648),
    /**
     * Names of folders (ending in `/`) and files that are not brought home, at any depth, and go with the storage; `*`
     * stands for any characters. `[]`: everything comes home.
     */
    skip_results: listOf(
      text({ pattern: /^[^/]+\/?$/, expected: 'the name of a file, or of a folder with a / at its end' }),
    ).default([...defaultSkips]),
  },
  {
    env_vars:
      "variables of the endpoints (`execution.env_vars.deployment`) go to `deployment.envs`, those of the jobs (`.evaluation`) to `evaluation.env_vars` or a task's `env_vars`: NAME: host:NAME for one of this host, NAME: lit:TEXT for a text",
    auto_export: 'results are files in `execution.output_dir`: leave this out, and export them from there',
    mounts:
      'mounts of the jobs go to `execution.lepton_platform.tasks.mounts`, those of endpoints to `deployment.lepton_config.mounts`',
    hostname: 'a setting of the Slurm executor',
    account: 'a setting of the Slurm executor',
    partition: 'a setting of the Slurm executor',
    walltime: 'the bound on one evaluation is `execution.evaluation_tasks.timeout`',
    num_nodes: 'set the size of the endpoint with `deployment.lepton_config.resource_shape`',
    mode: 'tasks always run in parallel; `execution.max_parallel_endpoints` bounds it',
    extra_docker_args: 'a setting of the local executor',
  },
);
