/**
 * `execution`: where and how a run is carried out. A default that the preset also states is the same in both; `mounts` and
 * `platform_defaults` have defaults in the preset only.
 */
import { mostJobRetries } from '../../contract/job-attempts';
import { defaultSkips } from '../../contract/skip-results';
import { choice, decimal, duration, flag, integer, listOf, orNull, recordOf, section, text } from './fields';
import { autoExport } from './export';
import { isRunName, runNameRule } from '../../contract/run-name';
import { envMap, token } from './variables';
import {
  allowedNodes,
  imagePullSecrets,
  log,
  metrics,
  platformDefaults,
  queueConfig,
  reservationConfig,
  storageAttachments,
  userSecurityContext,
} from './wire';

/** A folder of a volume, mounted into a container. */
const mount = section({
  from: text().describe('The volume: `node-nfs:NAME`, `node-local`, …'),
  path: text({ pattern: /^\//, expected: 'an absolute path' }).describe('Folder in the volume.'),
  mount_path: text({ pattern: /^\/./, expected: 'an absolute path other than /' }).describe(
    'Where it appears in the container.',
  ),
  mount_options: section({
    local_cache_size_mib: integer({ min: 0 }).optional().describe('Size of a local cache for the volume, in MiB.'),
    read_only: flag().optional().describe('Mount it read-only.'),
  })
    .optional()
    .describe('How it is mounted.'),
});

const evaluationTasks = section({
  resource_shape: text()
    .default('cpu.small')
    .describe('Resource shape of a job. The model runs in the endpoint, so a CPU shape is enough.'),
  timeout: duration().default(3600).describe('Time limit for one evaluation, including its time in the queue.'),
  use_shared_storage: flag()
    .refine((value) => value, 'results travel through workspace storage: only true is possible')
    .default(true)
    .describe('Only `true` is accepted: results travel through workspace storage.'),
  ttl_after_finished: duration()
    .default(86_400)
    .describe('How long the platform keeps a finished job that was not deleted.'),
  shared_memory_size: integer({ min: 0, unit: 'MiB' }).default(1024).describe('Size of `/dev/shm` in a job, in MiB.'),
});

const tasks = section({
  node_group: orNull(text()).describe('Node group of the jobs, by name or id; null: any.'),
  allowed_nodes: allowedNodes.describe('Ids of the nodes of `node_group` that the jobs may run on; `[]`: any.'),
  env_vars: envMap('literal').describe('Environment variables of every job.'),
  mounts: listOf(mount).describe(
    "The first is the run's storage: each run gets its own folder below `path`. The others are mounted as they are.",
  ),
  image_pull_secrets: imagePullSecrets.describe(
    "Names of the workspace's image pull secrets for the evaluation images.",
  ),
  queue_config: queueConfig.optional().describe('Queueing and preemption (dedicated node groups only).'),
  reservation_config: reservationConfig
    .optional()
    .describe('Reserved capacity to run on (dedicated node groups only).'),
  storage_attachments: storageAttachments
    .optional()
    .describe('Object storage for the jobs (dedicated node groups only).'),
  user_security_context: userSecurityContext.optional().describe('User and privileges of the container.'),
  log: log.optional().describe('Which logs the platform keeps.'),
  metrics: metrics.optional().describe('Metrics of the jobs.'),
  api_tokens: listOf(token()).describe(
    'The key with which jobs call the endpoint, if it is not the first of `deployment.lepton_config.api_tokens`. Without these, the endpoint asks for it.',
  ),
});

/** Endpoints count with `max_replicas`, from the request that creates them until they are gone. */
const budget = section({
  limit: decimal({ min: 0 })
    .refine((value) => value > 0, 'a limit is above zero')
    .describe('Once the run has cost this much it is cancelled and torn down.'),
  currency: text({ pattern: /^[\w€$£¥]{1,12}$/, expected: 'a currency such as USD' })
    .default('USD')
    .describe('Shown beside amounts; nothing is converted.'),
  prices: recordOf(decimal({ min: 0 })).describe(
    "Price per hour of one replica, by resource shape, as in your contract: `gpu.1xh200: 3.5`. The endpoints' shape must have a price (endpoints count with `max_replicas`, from creation to deletion); jobs count only if theirs has one. With `-o`, set the whole budget: `-o 'execution.budget={limit: 25, prices: {gpu.1xh200: 3.5}}'`.",
  ),
});

const sharedCaches = section({
  path: text({ pattern: /^\//, expected: 'an absolute path' }).describe(
    'Folder in the volume, which must exist: `/caches`.',
  ),
  from: orNull(text()).describe("The volume; null: that of the tasks' first mount."),
  mount_path: text({ pattern: /^\/./, expected: 'an absolute path other than /' })
    .default('/shared-caches')
    .describe('Where it appears in the containers.'),
});

export const execution = section(
  {
    type: choice('lepton').describe('The executor.'),
    output_dir: text().describe('Folder on this machine: results arrive in `<output_dir>/<invocation>`.'),
    results_store: orNull(
      text({ pattern: /^(s3:\/\/|\/|~(\/|$))/, expected: 's3://BUCKET/PREFIX or an absolute folder' }),
    ).describe(
      'Where workers write results, if they run on other machines: `s3://BUCKET/PREFIX`, or a folder that all machines share. From there they are copied to `output_dir`. Default: `EVALSAGA_RESULTS_STORE`; without either, results are written to `output_dir` by a worker of this machine.',
    ),
    env_var_names: listOf(text({ pattern: /^[A-Za-z_][A-Za-z0-9_]*$/, expected: 'the name of a variable' })).describe(
      "Names of this host's environment variables that every job gets. Their values are sent when a job is submitted, and never stored.",
    ),
    evaluation_tasks: evaluationTasks.describe('The evaluation jobs.'),
    lepton_platform: section({
      deployment: section({
        node_group: orNull(text()).describe('Node group of the endpoints, by name or id; null: any.'),
        allowed_nodes: allowedNodes.describe(
          'Ids of the nodes of `node_group` that the endpoints may run on; `[]`: any.',
        ),
        endpoint_readiness_timeout: duration()
          .default(1200)
          .describe('How long an endpoint may take to become ready, and to recover if it fails while its job runs.'),
        platform_defaults: platformDefaults.describe("Merged under every endpoint's spec, key by key."),
      }).describe('The endpoints that serve the model.'),
      tasks: tasks.describe('The evaluation jobs on the platform.'),
    }).describe('Resources on the platform.'),
    run_name: orNull(text().refine(isRunName, `expected a name: ${runNameRule}`)).describe(
      'What the run is called; commands take it in place of its id. Null: the top-level `name`, as far as it can be one. `start --name` wins.',
    ),
    tags: recordOf(text()).describe(
      'Labels of the run, `team: search`: `ls runs --tag team=search` finds it. `start --tag` adds to them.',
    ),
    auto_export: autoExport,
    start_policy: choice('all_ready', 'as_ready')
      .default('all_ready')
      .describe('`all_ready`: jobs start when every endpoint is ready; `as_ready`: each when its own endpoint is.'),
    start_jobs_early: flag()
      .default(false)
      .describe(
        'Start each job while its endpoint still loads, so that its queue, image and harness cost no endpoint time: inside, the job waits for the endpoint before its first request. Its time limit begins when the endpoint is ready. Needs `start_policy: as_ready`. The job itself costs longer, which is little for a CPU shape.',
      ),
    release_endpoint: choice('after_job', 'after_last_request')
      .default('after_job')
      .describe(
        "When a task's own endpoint is deleted: `after_job`: when the job has ended; `after_last_request`: as soon as the model has answered the job's last request, while the harness still computes metrics and saves. Works with lm-evaluation-harness; of other harnesses, and of shared or existing endpoints, nothing changes. A job that fails afterwards has no endpoint any more: `evalsaga retry` makes a new one, and takes the answers from the cache.",
      ),
    on_task_failure: choice('continue', 'abort')
      .default('continue')
      .describe('What happens to the other tasks when one fails: `continue` lets them run, `abort` ends the run.'),
    retries: integer({ min: 0, max: mostJobRetries })
      .default(0)
      .describe(
        'How many jobs may follow a job that is ended from outside (preempted, evicted, its node lost, its image not to be pulled at the moment), one after the other; never after an evaluation that fails by itself or runs out of memory. Each has the whole `evaluation_tasks.timeout`.',
      ),
    max_parallel_endpoints: orNull(integer({ min: 1 })).describe(
      'How many endpoints may exist at once; null: no limit. With `all_ready`, tasks then run in waves.',
    ),
    keep_storage: flag()
      .default(false)
      .describe("Keep the run's folder in workspace storage after its results have arrived."),
    shared_caches: orNull(sharedCaches).describe(
      "One folder in which all endpoints and jobs of all runs keep what they download and compile: the hub's cache (`HF_HOME`), vLLM's (`VLLM_CACHE_ROOT`), a NIM's (`NIM_CACHE_PATH`). Variables that you set win. Nothing in it is ever deleted. Null: each container has its own. Without effect on the local platform, where they are shared anyway.",
    ),
    max_run_time: orNull(duration()).describe('Time limit for the whole run, teardown not included; null: none.'),
    budget: orNull(budget).describe('Limit on what the run may cost; null: costs are not counted.'),
    teardown_timeout: duration()
      .default(1800)
      .describe('How long teardown keeps trying before it reports what it could not remove.'),
    max_result_size: integer({ min: 1, unit: 'bytes' })
      .default(2_147_483_648)
      .describe(
        'Bytes of results downloaded per task. Scores and small files come first; if there is more, it stays in storage, which is then kept and reported.',
      ),
    skip_results: listOf(
      text({ pattern: /^[^/]+\/?$/, expected: 'the name of a file, or of a folder with a / at its end' }),
    )
      .default([...defaultSkips])
      .describe(
        'Names of folders (ending in `/`) and files, at any depth, that are not downloaded but deleted with the storage; `*` matches any characters. `[]`: download everything.',
      ),
  },
  {
    env_vars:
      "set variables of the endpoints (`execution.env_vars.deployment`) in `deployment.env_vars`, and those of the jobs (`.evaluation`) in `evaluation.env_vars` or a task's `env_vars`: NAME: host:NAME for a variable of this host, NAME: lit:TEXT for a text",
  },
);
