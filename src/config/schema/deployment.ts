/** `deployment`: what serves the model. One schema per type, so that a key is accepted only where it has an effect. */
import type { z } from 'zod';
import { choice, decimal, flag, integer, orNull, recordOf, section, text } from './fields';
import { envMap, token } from './secrets';
import { autoScaler, health, imagePullSecrets } from './wire';
import { listOf } from './fields';

export const deploymentTypes = ['vllm', 'sglang', 'nim', 'trtllm', 'generic', 'none'] as const;
export type DeploymentType = (typeof deploymentTypes)[number];

/** How the endpoint runs on Lepton. */
const leptonConfig = section(
  {
    /** First part of the endpoints' names, instead of the deployment's type. */
    endpoint_name: orNull(text()),
    /** Shape of each replica, e.g. `gpu.1xh200`. */
    resource_shape: text().default('gpu.1xh200'),
    min_replicas: integer({ min: 1 }).default(1),
    max_replicas: integer({ min: 1 }).default(1),
    auto_scaler: autoScaler,
    health: health.optional(),
    /** Variables of the model server. */
    envs: envMap('literal'),
    /** A folder for the model cache. */
    mounts: section({
      enabled: flag().default(false),
      /** Folder in the volume; `{{MODEL_CACHE_NAME}}` stands for the image's name. */
      cache_path: orNull(text()),
      mount_path: orNull(text()),
    }),
    /** Keys that callers must present, by reference. None: the endpoint is open. */
    api_tokens: listOf(token()),
    /** One key: the same as `api_tokens` with one entry. */
    api_token: orNull(token()),
    image_pull_secrets: imagePullSecrets.optional(),
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
  image: text({ pattern: /^[A-Za-z0-9][A-Za-z0-9._\-/:@]*$/, expected: 'a container image' }),
  /** Name the model is served and asked for under. */
  served_model_name: orNull(text()),
  /** Hub handle of the model. */
  model_id: orNull(text()),
  port: integer({ min: 1, max: 65_535 }).default(8000),
  env_vars: envMap('refused'),
  envs: envMap('literal'),
  endpoints,
  /** Shell lines run before the server; needs NEMO_EVALUATOR_TRUST_PRE_CMD=1. */
  pre_cmd: orNull(text({ empty: true })),
  lepton_config: leptonConfig,
};

const weights = {
  /** Path of the weights in the container, or a hub handle. */
  checkpoint_path: orNull(text()),
  /** Hub handle of the weights. */
  hf_model_handle: orNull(text()),
};

const parallel = {
  /** GPUs per model copy; null: all that the shape has. */
  tensor_parallel_size: orNull(integer({ min: 1 })),
  pipeline_parallel_size: integer({ min: 1 }).default(1),
};

/** The server's own arguments, quoted as a shell would. */
const extraArgs = { extra_args: orNull(text({ empty: true })) };

const command = { command: orNull(text()) };

const slurm = {
  multiple_instances: 'one endpoint per task; more replicas with `deployment.lepton_config.min_replicas`',
  num_instances: 'one endpoint per task; more replicas with `deployment.lepton_config.min_replicas`',
};

const schemas = {
  vllm: section(
    {
      type: choice('vllm'),
      ...served,
      ...weights,
      ...parallel,
      ...extraArgs,
      ...command,
      data_parallel_size: integer({ min: 1 }).default(1),
      /** Share of the GPU's memory that the server takes; null: the server's own default. */
      gpu_memory_utilization: orNull(decimal({ min: 0.01, max: 1 })),
      /** Building block for a `command` of one's own. */
      base_command: orNull(text()),
    },
    slurm,
  ),
  sglang: section(
    {
      type: choice('sglang'),
      ...served,
      ...weights,
      ...parallel,
      ...extraArgs,
      ...command,
      data_parallel_size: integer({ min: 1 }).default(1),
    },
    { ...slurm, gpu_memory_utilization: 'pass `--mem-fraction-static` in `deployment.extra_args`' },
  ),
  trtllm: section({ type: choice('trtllm'), ...served, ...weights, ...parallel, ...extraArgs, ...command }, slurm),
  nim: section(
    { type: choice('nim'), ...served, ...command },
    {
      ...slurm,
      extra_args: 'a NIM is configured by variables: `deployment.envs`',
      checkpoint_path: 'a NIM brings its own weights',
      tensor_parallel_size: 'a NIM chooses it by its profile: NIM_MODEL_PROFILE in `deployment.envs`',
    },
  ),
  generic: section({ type: choice('generic'), ...served, ...weights, ...extraArgs, command: text() }, slurm),
  none: section(
    { type: choice('none') },
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
