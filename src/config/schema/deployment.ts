/** `deployment`: what serves the model. One schema per type, so that a key is accepted only where it has an effect. */
import type { z } from 'zod';
import { choice, decimal, flag, integer, listOf, orNull, recordOf, section, text } from './fields';
import { envMap, token } from './variables';
import { autoScaler, health, imagePullSecrets } from './wire';

export const deploymentTypes = ['vllm', 'sglang', 'nim', 'trtllm', 'generic', 'none'] as const;
export type DeploymentType = (typeof deploymentTypes)[number];

/** How the endpoint runs on Lepton. */
const leptonConfig = section(
  {
    endpoint_name: orNull(text()).describe("Prefix of the endpoints' names; null: the deployment's type."),
    resource_shape: text()
      .default('gpu.1xh200')
      .describe(
        'Resource shape of each replica. The number in its name is the number of GPUs: `gpu.8xh200` has eight.',
      ),
    min_replicas: integer({ min: 1 }).default(1).describe('Minimum number of replicas.'),
    max_replicas: integer({ min: 1 }).default(1).describe('Maximum number of replicas.'),
    shared_memory_size: orNull(integer({ min: 0, unit: 'MiB' })).describe(
      "Size of `/dev/shm` in each replica, in MiB; null: the platform's default.",
    ),
    auto_scaler: autoScaler.describe('When replicas are added and removed.'),
    health: health.optional().describe('Health checks, merged over those of `platform_defaults`.'),
    envs: envMap('literal').describe('Environment variables of the model server.'),
    mounts: section({
      enabled: flag().default(false).describe('Whether the folder is mounted.'),
      cache_path: orNull(text()).describe(
        "Folder in the volume; `{{MODEL_CACHE_NAME}}` is replaced by the image's name without registry and tag.",
      ),
      mount_path: orNull(text()).describe('Where it appears in the container.'),
    }).describe("A folder for the model cache, in the volume of the tasks' first mount."),
    api_tokens: listOf(token()).describe(
      'Keys of which callers must present one. The jobs get the first automatically. None: each endpoint gets a random token of its own, which only its job and the run know.',
    ),
    api_token: orNull(token()).describe('One key: the same as `api_tokens` with one entry.'),
    allow_unauthenticated_access: flag()
      .default(false)
      .describe('Leave the endpoint open to everybody who knows its URL, instead of making a token for it.'),
    image_pull_secrets: imagePullSecrets
      .optional()
      .describe("Names of the workspace's image pull secrets for this image."),
  },
  {
    node_group: 'use `execution.lepton_platform.deployment.node_group`',
    log: 'use `execution.lepton_platform.deployment.platform_defaults.log`',
    metrics: 'use `execution.lepton_platform.deployment.platform_defaults.metrics`',
    queue_config: 'use `execution.lepton_platform.deployment.platform_defaults.queue_config`',
    routing_policy: 'use `execution.lepton_platform.deployment.platform_defaults.routing_policy`',
  },
);

/** Request path by kind of task, and `health`. */
const endpoints = recordOf(orNull(text({ pattern: /^\//, expected: 'a path that begins with /' })));

const served = {
  image: text({ pattern: /^[A-Za-z0-9][A-Za-z0-9._\-/:@]*$/, expected: 'a container image' }).describe(
    'Container image of the model server.',
  ),
  served_model_name: orNull(text()).describe(
    "Name under which the model is served and requested; null: `target.api_endpoint.model_id`, else the model's own name.",
  ),
  model_id: orNull(text()).describe("The same as `hf_model_handle`. For a NIM: the NIM's own name of the model."),
  port: integer({ min: 1, max: 65_535 }).default(8000).describe('Port the server listens on.'),
  env_vars: envMap('refused').describe('Environment variables of the model server. A text needs its prefix.'),
  envs: envMap('literal').describe('Environment variables of the model server.'),
  endpoints: endpoints.describe(
    'Request path by kind of task. `health` must answer 2xx before the model is tried; null: no health check.',
  ),
  pre_cmd: orNull(text({ empty: true })).describe(
    'Shell lines run before the server; needs `NEMO_EVALUATOR_TRUST_PRE_CMD=1`.',
  ),
  sharing: text({ pattern: /^(?:per_task|shared|pool:[1-9]\d{0,2})$/, expected: '`per_task`, `shared` or `pool:N`' })
    .default('per_task')
    .describe(
      'How many endpoints serve the model: `per_task`: one for each task, removed with it; `shared`: one for all tasks; `pool:N`: N, over which the tasks are spread. Shared ones exist until the last task that uses them has ended. `--dry-run` compares the choices.',
    ),
  lepton_config: leptonConfig.describe('How the endpoint runs on Lepton.'),
};

const weights = {
  checkpoint_path: orNull(text()).describe('What to serve: a path in the container, or a hub handle.'),
  hf_model_handle: orNull(text()).describe('What to serve: a hub handle, `org/model`.'),
};

const parallel = {
  tensor_parallel_size: orNull(integer({ min: 1 })).describe(
    'GPUs over which one copy of the model is split; null: all GPUs of the resource shape.',
  ),
  pipeline_parallel_size: integer({ min: 1 }).default(1).describe('Pipeline stages of one copy of the model.'),
};

const extraArgs = {
  extra_args: orNull(text({ empty: true })).describe(
    'Arguments of the server, quoted as in a shell: `--max-model-len 8192 --chat-template "a b"`. With `generic`, for use in `command`.',
  ),
};

const command = {
  command: orNull(text()).describe(
    "Shell command that replaces the one made from the other keys, or the image's entry point.",
  ),
};

const schemas = {
  vllm: section({
    type: choice('vllm').describe('What serves the model.'),
    ...served,
    ...weights,
    ...parallel,
    ...extraArgs,
    ...command,
    data_parallel_size: integer({ min: 1 }).default(1).describe('Copies of the model in one replica.'),
    gpu_memory_utilization: orNull(decimal({ min: 0.01, max: 1 })).describe(
      "Fraction of the GPU's memory that the server uses; null: the server's default.",
    ),
    base_command: orNull(text()).describe('Building block for your own `command`: `${deployment.base_command}`.'),
  }),
  sglang: section(
    {
      type: choice('sglang').describe('What serves the model.'),
      ...served,
      ...weights,
      ...parallel,
      ...extraArgs,
      ...command,
      data_parallel_size: integer({ min: 1 }).default(1).describe('Copies of the model in one replica.'),
    },
    { gpu_memory_utilization: 'pass `--mem-fraction-static` in `deployment.extra_args`' },
  ),
  trtllm: section({
    type: choice('trtllm').describe('What serves the model.'),
    ...served,
    ...weights,
    ...parallel,
    ...extraArgs,
    ...command,
  }),
  nim: section(
    { type: choice('nim').describe('What serves the model.'), ...served, ...command },
    {
      extra_args: 'a NIM is configured with environment variables: set them in `deployment.envs`',
      checkpoint_path: 'a NIM contains its own weights',
      tensor_parallel_size: "it follows from the NIM's profile: set NIM_MODEL_PROFILE in `deployment.envs`",
    },
  ),
  generic: section({
    type: choice('generic').describe('What serves the model.'),
    ...served,
    ...weights,
    ...extraArgs,
    command: text().describe(
      'Shell command that starts the server. It can use other keys: `${deployment.port}`, `${deployment.checkpoint_path}`.',
    ),
  }),
  none: section(
    { type: choice('none').describe('What serves the model.') },
    {
      lepton_config: 'nothing is deployed with `none`',
      image: 'nothing is deployed with `none`',
      served_model_name: 'with `none`, set `target.api_endpoint.model_id`',
      model_id: 'with `none`, set `target.api_endpoint.model_id`',
    },
  ),
} as const;

export const deploymentSchema = (type: DeploymentType) => schemas[type];

/** Keys of all types, for parts that are merged over a deployment: which of them its type has is checked then. */
export const deploymentKeys = {
  ...served,
  ...weights,
  ...parallel,
  ...extraArgs,
  ...command,
  data_parallel_size: integer({ min: 1 }).describe('Copies of the model in one replica.'),
  gpu_memory_utilization: orNull(decimal({ min: 0.01, max: 1 })).describe(
    "Fraction of the GPU's memory that the server uses; null: the server's default.",
  ),
  base_command: orNull(text()).describe('Building block for your own `command`: `${deployment.base_command}`.'),
};

export type Deployment = { [T in DeploymentType]: z.output<(typeof schemas)[T]> }[DeploymentType];
export type DedicatedDeployment = Exclude<Deployment, { type: 'none' }>;
export type LeptonConfig = z.output<typeof leptonConfig>;
