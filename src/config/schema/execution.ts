/** `execution`: where and how a run is carried out. Where defaults here and in the preset overlap they are the same, but for what only the preset offers (mounts, `platform_defaults`). */
import { defaultSkips } from '../../contract/skip-results';
import { choice, decimal, duration, flag, integer, listOf, orNull, recordOf, section, text } from './fields';
import { envMap, token } from './variables';
import { imagePullSecrets, log, platformDefaults, queueConfig } from './wire';

/** A folder of a volume, mounted into a container. */
const mount = section({
  from: text().describe('The volume: `node-nfs:NAME`, `node-local`, …'),
  path: text({ pattern: /^\//, expected: 'an absolute path' }).describe('Folder in the volume.'),
  mount_path: text({ pattern: /^\/./, expected: 'an absolute path other than /' }).describe(
    'Where the container sees it.',
  ),
  mount_options: section({
    local_cache_size_mib: integer({ min: 0 }).optional().describe('MiB of local cache for the volume.'),
    read_only: flag().optional().describe('Mount it read-only.'),
  })
    .optional()
    .describe('How it is mounted.'),
});

const evaluationTasks = section({
  resource_shape: text()
    .default('cpu.small')
    .describe('Resource shape of a job. The model runs in the endpoint, so a CPU shape is enough.'),
  timeout: duration().default(3600).describe('How long one evaluation may take, its time in the queue included.'),
  use_shared_storage: flag()
    .refine((value) => value, 'results travel through workspace storage: only true is possible')
    .default(true)
    .describe('Only `true` is accepted: results travel through workspace storage.'),
  ttl_after_finished: duration()
    .default(86_400)
    .describe('How long the platform keeps a finished job that nobody removed.'),
  shared_memory_size: integer({ min: 0, unit: 'MiB' }).default(1024).describe('MiB of `/dev/shm` in a job.'),
});

const tasks = section({
  node_group: orNull(text()).describe('Node group of the jobs, by name or id; null: any.'),
  env_vars: envMap('literal').describe('Environment variables of every job.'),
  mounts: listOf(mount).describe(
    "The first is the run's storage: each run gets its own folder below `path`. Further ones are mounted as they are.",
  ),
  image_pull_secrets: imagePullSecrets.describe(
    "Names of the workspace's image pull secrets for the evaluation images.",
  ),
  queue_config: queueConfig.optional().describe("Place in the node group's queue."),
  log: log.optional().describe('What the platform keeps of the logs.'),
  api_tokens: listOf(token()).describe(
    'The key with which jobs call the endpoint, when it is not the first of `deployment.lepton_config.api_tokens`.',
  ),
});

/** Prices are per hour and replica of a shape; the run's endpoints are counted, and its jobs where their shape has a price. */
const budget = section({
  limit: decimal({ min: 0 })
    .refine((value) => value > 0, 'a limit is above zero')
    .describe('When the run has cost this much it is cancelled, with teardown.'),
  currency: text({ pattern: /^[\w€$£¥]{1,12}$/, expected: 'a currency such as USD' })
    .default('USD')
    .describe('Shown beside amounts; nothing is converted.'),
  prices: recordOf(decimal({ min: 0 })).describe(
    "Price per hour of one replica, by resource shape: `gpu.1xh200: 3.5`. The endpoints' shape must have one; jobs count where theirs has.",
  ),
});

export const execution = section(
  {
    type: choice('lepton').describe('The executor.'),
    output_dir: text().describe('Folder on this machine: results arrive in `<output_dir>/<invocation>`.'),
    env_var_names: listOf(text({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'the name of a variable' })).describe(
      'Names of variables of this host that every job gets. Their values are handed over when the job is submitted, and are never stored.',
    ),
    evaluation_tasks: evaluationTasks.describe('The evaluation jobs.'),
    lepton_platform: section({
      deployment: section({
        node_group: orNull(text()).describe('Node group of the endpoints, by name or id; null: any.'),
        endpoint_readiness_timeout: duration()
          .default(1200)
          .describe('How long an endpoint may take to become ready, and to come back when it goes away under its job.'),
        platform_defaults: platformDefaults.describe("Merged under every endpoint's spec, key by key."),
      }).describe('The endpoints that serve the model.'),
      tasks: tasks.describe('The evaluation jobs on the platform.'),
    }).describe('What the platform is asked for.'),
    start_policy: choice('all_ready', 'as_ready')
      .default('all_ready')
      .describe('`all_ready`: jobs start when every endpoint is ready; `as_ready`: each when its own endpoint is.'),
    on_task_failure: choice('continue', 'abort')
      .default('continue')
      .describe('What a failed task does to the others: `abort` ends the run.'),
    max_parallel_endpoints: orNull(integer({ min: 1 })).describe(
      'How many endpoints may exist at once; null: one per task, all at once. `all_ready` then goes in waves.',
    ),
    keep_storage: flag()
      .default(false)
      .describe("Keep the run's folder in workspace storage after its results have arrived."),
    max_run_time: orNull(duration()).describe('Time limit for the whole run, teardown not included; null: none.'),
    budget: orNull(budget).describe('Limit on what the run may cost; null: nothing is counted.'),
    teardown_timeout: duration()
      .default(1800)
      .describe('How long teardown keeps trying before it reports what is left.'),
    max_result_size: integer({ min: 1, unit: 'bytes' })
      .default(2_147_483_648)
      .describe(
        'Bytes brought home per task. Scores and small files come first; what is beyond stays in storage, which is kept and named.',
      ),
    skip_results: listOf(
      text({ pattern: /^[^/]+\/?$/, expected: 'the name of a file, or of a folder with a / at its end' }),
    )
      .default([...defaultSkips])
      .describe(
        'Names of folders (ending in `/`) and files that are not brought home, at any depth, and are deleted with the storage; `*` stands for any characters. `[]`: everything comes home.',
      ),
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
