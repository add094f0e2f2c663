/** `deployment`: what serves the model. One schema per type, so that a key is accepted only where it has an effect. */
import type { z } from 'zod';
import { choice, decimal, flag, integer, orNull, recordOf, section, text } from './fields';
import { envMap, token } from './variables';
import { autoScaler, health, imagePullSecrets } from './wire';
import { listOf } from './fields';

export const deploymentTypes = ['vllm', 'sglang', 'nim', 'trtllm', 'generic', 'none'] as const;
export type DeploymentType = (typeof deploymentTypes)[number];

/** How the endpoint runs on Lepton. */
const leptonConfig = section(
  {
    endpoint_name: orNull(text()).describe("First part of the endpoints' names; null: the deployment's type."),
    resource_shape: text()
      .default('gpu.1xh200')
      .describe(
        'Resource shape of each replica. The number in its name is the number of GPUs: `gpu.8xh200` has eight.',
      ),
    min_replicas: integer({ min: 1 }).default(1).describe('Replicas at least.'),
    max_replicas: integer({ min: 1 }).default(1).describe('Replicas at most.'),
    auto_scaler: autoScaler.describe('When replicas are added and taken away.'),
    health: health.optional().describe('Health checks, merged over those of `platform_defaults`.'),
    envs: envMap('literal').describe('Environment variables of the model server.'),
    mounts: section({
      enabled: flag().default(false).describe('Whether it is mounted.'),
      cache_path: orNull(text()).describe("Folder in the volume; `{{MODEL_CACHE_NAME}}` stands for the image's name."),
      mount_path: orNull(text()).describe('Where the container sees it.'),
    }).describe("A folder of the tasks' volume for the model cache."),
    api_tokens: listOf(token()).describe(
      'Keys that callers must present. The jobs get the first one without being told. None: the endpoint is open.',
    ),
    api_token: orNull(token()).describe('One key: the same as `api_tokens` with one entry.'),
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

/** Request path per kind of task; `health`: what must answer 2xx before the model is asked for. */
const endpoints = recordOf(orNull(text({ pattern: /^\//, expected: 'a path that begins with /' })));

const served = {
  image: text({ pattern: /^[A-Za-z0-9][A-Za-z0-9._\-/:@]*$/, expected: 'a container image' }).describe(
    'Container image of the model server.',
  ),
  served_model_name: orNull(text()).describe(
    "Name the model is served and asked for under; null: `target.api_endpoint.model_id`, else the model's own name.",
  ),
  model_id: orNull(text()).describe('The same as `hf_model_handle`; for a NIM, the model in its own terms.'),
  port: integer({ min: 1, max: 65_535 }).default(8000).describe('Port the server listens on.'),
  env_vars: envMap('refused').describe('Environment variables of the model server. A text needs its prefix.'),
  envs: envMap('literal').describe('Environment variables of the model server.'),
  endpoints: endpoints.describe(
    'Request path by kind of task. `health` must answer 2xx before the model is asked for; null: not asked.',
  ),
  pre_cmd: orNull(text({ empty: true })).describe(
    'Shell lines run before the server; needs `NEMO_EVALUATOR_TRUST_PRE_CMD=1`.',
  ),
  lepton_config: leptonConfig.describe('How the endpoint runs on Lepton.'),
};

const weights = {
  checkpoint_path: orNull(text()).describe('What to serve: a path in the container, or a hub handle.'),
  hf_model_handle: orNull(text()).describe('What to serve: a hub handle, `org/model`.'),
};

const parallel = {
  tensor_parallel_size: orNull(integer({ min: 1 })).describe(
    'GPUs that one copy of the model is spread over; null: all that the resource shape has.',
  ),
  pipeline_parallel_size: integer({ min: 1 }).default(1).describe('Pipeline stages of one copy of the model.'),
};

/** The server's own arguments, quoted as a shell would. */
const extraArgs = {
  extra_args: orNull(text({ empty: true })).describe(
    "The server's own arguments, quoted as a shell would. With `generic` they are for use in `command`.",
  ),
};

const command = {
  command: orNull(text()).describe(
    "Shell command instead of the one made from the other keys, or of the image's entry point.",
  ),
};

const slurm = {
  multiple_instances: 'one endpoint per task; more replicas with `deployment.lepton_config.min_replicas`',
  num_instances: 'one endpoint per task; more replicas with `deployment.lepton_config.min_replicas`',
};

const schemas = {
  vllm: section(
    {
      type: choice('vllm').describe('What serves the model.'),
      ...served,
      ...weights,
      ...parallel,
      ...extraArgs,
      ...command,
      data_parallel_size: integer({ min: 1 }).default(1).describe('Copies of the model in one replica.'),
      gpu_memory_utilization: orNull(decimal({ min: 0.01, max: 1 })).describe(
        "Share of the GPU's memory that the server takes; null: the server's default.",
      ),
      base_command: orNull(text()).describe('Building block for a `command` of your own.'),
    },
    slurm,
  ),
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
    { ...slurm, gpu_memory_utilization: 'pass `--mem-fraction-static` in `deployment.extra_args`' },
  ),
  trtllm: section(
    {
      type: choice('trtllm').describe('What serves the model.'),
      ...served,
      ...weights,
      ...parallel,
      ...extraArgs,
      ...command,
    },
    slurm,
  ),
  nim: section(
    { type: choice('nim').describe('What serves the model.'), ...served, ...command },
    {
      ...slurm,
      extra_args: 'a NIM is configured by variables: `deployment.envs`',
      checkpoint_path: 'a NIM brings its own weights',
      tensor_parallel_size: 'a NIM chooses it by its profile: NIM_MODEL_PROFILE in `deployment.envs`',
    },
  ),
  generic: section(
    {
      type: choice('generic').describe('What serves the model.'),
      ...served,
      ...weights,
      ...extraArgs,
      command: text().describe(
        'Shell command that starts the server; `${deployment.port}` and other keys can be used in it.',
      ),
    },
    slurm,
  ),
  none: section(
    { type: choice('none').describe('What serves the model.') },
    {
      lepton_config: 'nothing is deployed with `none`',
      image: 'nothing is deployed with `none`',
      served_model_name: 'with `none` the name goes to `target.api_endpoint.model_id`',
      model_id: 'with `none` the name goes to `target.api_endpoint.model_id`',
    },
  ),
} as const;

export const deploymentSchema = (type: DeploymentType) => schemas[type];

export type Deployment = { [T in DeploymentType]: z.output<(typeof schemas)[T]> }[DeploymentType];
export type DedicatedDeployment = Exclude<Deployment, { type: 'none' }>;
export type LeptonConfig = z.output<typeof leptonConfig>;
