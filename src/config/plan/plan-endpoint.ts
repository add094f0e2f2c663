/** The endpoint that a run deploys per task, or the one it is pointed at. */
import type { EndpointPlan, EndpointSpec, EnvEntry, MountSpec, ProbeSpec, SecretRef } from '../../contract/plan';
import { gpusOfShape } from '../derive';
import type { ResolvedConfig } from '../schema/config';
import type { DedicatedDeployment, LeptonConfig } from '../schema/deployment';
import { mergeVariables } from './merge-variables';
import type { Variables } from './merge-variables';
import type { ProblemReport } from './problem-report';
import { modelReference, serverCommand, wrapCommand } from './server-command';
import { mergeObjects, without } from './wire-objects';

export interface EndpointRequest {
  readonly config: ResolvedConfig;
  readonly deployment: DedicatedDeployment;
  readonly trustCommands: boolean;
  readonly report: ProblemReport;
}

/** The name the model is served and asked for under. */
export const servedModelOf = ({ deployment, target }: ResolvedConfig): string =>
  (deployment.type === 'none' ? target.api_endpoint.model_id : deployment.served_model_name) ?? '';

export function dedicatedEndpoint(
  { config, deployment, trustCommands, report }: EndpointRequest,
  warmUp: ProbeSpec['warmUp'],
): EndpointPlan {
  checkTarget(config, deployment, report);
  const model = checkedModel(deployment, report);
  const servedModel = servedModelOf(config);
  checkParallel(deployment, report);
  checkReplicas(deployment.lepton_config, report);
  const variables = mergeVariables([deployment.env_vars, deployment.envs, deployment.lepton_config.envs]);
  const command = containerCommand({ deployment, model, servedModel, variables, trustCommands, report });
  const tokens = tokensOf(deployment.lepton_config);
  const raw: EndpointSpec = {
    container: {
      image: deployment.image,
      ports: [{ container_port: deployment.port }],
      ...(command === undefined ? {} : { command }),
    },
    envs: uniqueByName([...serverVariables({ deployment, model, servedModel }), ...variables.entries]),
    apiTokens: tokens,
    mounts: cacheMount(config, deployment.lepton_config, report),
    nodeGroup: config.execution.lepton_platform.deployment.node_group,
    body: endpointBody(config, deployment.lepton_config),
  };
  const spec = fillCacheName(raw, deployment.image);
  const healthPath = deployment.endpoints['health'] ?? null;
  return { kind: 'dedicated', spec, probe: { servedModel, healthPath, warmUp, token: tokens[0] ?? null } };
}

export const tokensOf = (lepton: LeptonConfig): readonly SecretRef[] => [
  ...(lepton.api_token === null ? [] : [lepton.api_token]),
  ...lepton.api_tokens,
];

function checkTarget(config: ResolvedConfig, deployment: DedicatedDeployment, report: ProblemReport): void {
  const { url, model_id: asked } = config.target.api_endpoint;
  if (url !== null)
    report.add(
      'target.api_endpoint.url',
      `has no effect: the run deploys its own endpoint (deployment: ${deployment.type})`,
      'remove it, or use `deployment: none` to evaluate that endpoint',
    );
  if (asked === null) return;
  const served = deployment.served_model_name;
  if (served !== null && served !== asked) {
    report.add(
      'target.api_endpoint.model_id',
      `\`${asked}\` is not the name the model is served under, \`${served}\``,
      'remove it, or set deployment.served_model_name to the same',
    );
  } else if (
    deployment.model_id === null &&
    report.node(['deployment', 'served_model_name'])?.origin.derived !== undefined
  ) {
    report.add(
      'target.api_endpoint.model_id',
      'the served name of a deployed model is `deployment.served_model_name`',
      `write deployment.served_model_name: ${asked}`,
    );
  }
}

function checkedModel(deployment: DedicatedDeployment, report: ProblemReport): string {
  const keys =
    'checkpoint_path' in deployment
      ? (['checkpoint_path', 'hf_model_handle', 'model_id'] as const)
      : (['model_id'] as const);
  const given: string[] = [];
  for (const key of keys) {
    const value = (deployment as Readonly<Record<string, unknown>>)[key];
    if (value === 'None') report.add(`deployment.${key}`, '`None` is text in YAML', 'for no value write null');
    else if (typeof value === 'string') given.push(key);
  }
  if (given.length > 1)
    report.add(
      `deployment.${given[1] ?? ''}`,
      `says what to serve, and so does \`deployment.${given[0] ?? ''}\``,
      'set one of them to null',
    );
  if (given.length === 0 && deployment.type !== 'nim' && deployment.type !== 'generic') {
    report.add(
      'deployment.checkpoint_path',
      'nothing says which model to serve',
      'set deployment.hf_model_handle: org/model, or deployment.checkpoint_path: /path',
    );
  }
  if (deployment.served_model_name === null)
    report.add(
      'deployment.served_model_name',
      'nothing says under which name the model is served',
      'set deployment.served_model_name',
    );
  return modelReference(deployment) ?? deployment.served_model_name ?? '';
}

function checkParallel(deployment: DedicatedDeployment, report: ProblemReport): void {
  if (!('tensor_parallel_size' in deployment)) return;
  const gpus = gpusOfShape(deployment.lepton_config.resource_shape);
  if (gpus === undefined || gpus === 0) return;
  const tensor = deployment.tensor_parallel_size ?? 1;
  const data = 'data_parallel_size' in deployment ? deployment.data_parallel_size : 1;
  const wanted = tensor * deployment.pipeline_parallel_size * data;
  if (wanted === gpus) return;
  const shape = deployment.lepton_config.resource_shape;
  const product = `tensor_parallel_size × pipeline_parallel_size × data_parallel_size is ${tensor} × ${deployment.pipeline_parallel_size} × ${data} = ${wanted}`;
  if (wanted > gpus)
    report.add(
      'deployment.tensor_parallel_size',
      `${product}, but the shape ${shape} has ${gpus} GPU${gpus === 1 ? '' : 's'}`,
      'lower it, set it to null to use what the shape has, or take a larger deployment.lepton_config.resource_shape',
    );
  else if (report.node(['deployment', 'tensor_parallel_size'])?.origin.derived !== undefined)
    report.add(
      'deployment.pipeline_parallel_size',
      `${product}, which does not use all ${gpus} GPUs of ${shape}`,
      'choose sizes that divide the number of GPUs, or set tensor_parallel_size yourself',
    );
}

function checkReplicas({ min_replicas: min, max_replicas: max }: LeptonConfig, report: ProblemReport): void {
  if (min > max)
    report.add(
      'deployment.lepton_config.min_replicas',
      `is ${min}, more than max_replicas, ${max}`,
      'raise max_replicas',
    );
}

function containerCommand({
  deployment,
  model,
  servedModel,
  variables,
  trustCommands,
  report,
}: {
  deployment: DedicatedDeployment;
  model: string;
  servedModel: string;
  variables: Variables;
  trustCommands: boolean;
  report: ProblemReport;
}): readonly string[] | undefined {
  const command = serverCommand({ deployment, model, servedModel, report });
  const preCmd = deployment.pre_cmd === null || deployment.pre_cmd.trim() === '' ? null : deployment.pre_cmd;
  if (preCmd !== null && !trustCommands)
    report.add(
      'deployment.pre_cmd',
      'runs shell lines in the container',
      'set NEMO_EVALUATOR_TRUST_PRE_CMD=1 when you trust this file',
    );
  if (command === undefined) {
    const without = 'the image starts its own entry point, so nothing can be run before it';
    if (preCmd !== null) report.add('deployment.pre_cmd', without, 'set deployment.command');
    if (variables.runtime.length > 0)
      report.add(
        'deployment.envs',
        `\`runtime:\` copies a variable before the server starts, but ${without}`,
        'set deployment.command',
      );
    return undefined;
  }
  return wrapCommand({ command, preCmd, runtime: variables.runtime });
}

/** Variables that images and their start scripts look for. */
function serverVariables({
  deployment,
  model,
  servedModel,
}: {
  deployment: DedicatedDeployment;
  model: string;
  servedModel: string;
}): EnvEntry[] {
  const entries: EnvEntry[] = [
    { name: 'SERVED_MODEL_NAME', value: servedModel },
    { name: 'MODEL_PORT', value: String(deployment.port) },
  ];
  switch (deployment.type) {
    case 'nim':
      return [
        ...entries,
        { name: 'NIM_MODEL_NAME', value: model },
        { name: 'NIM_SERVED_MODEL_NAME', value: servedModel },
      ];
    case 'generic':
      return model === servedModel ? entries : [...entries, { name: 'MODEL_PATH', value: model }];
    case 'vllm':
    case 'sglang':
    case 'trtllm':
      return [
        ...entries,
        { name: 'MODEL_PATH', value: model },
        { name: 'TENSOR_PARALLEL_SIZE', value: String(deployment.tensor_parallel_size ?? 1) },
      ];
  }
}

function uniqueByName(entries: readonly EnvEntry[]): EnvEntry[] {
  return [...new Map(entries.map((entry) => [entry.name, entry])).values()];
}

function cacheMount(config: ResolvedConfig, { mounts }: LeptonConfig, report: ProblemReport): readonly MountSpec[] {
  if (!mounts.enabled) return [];
  if (mounts.cache_path === null)
    report.add(
      'deployment.lepton_config.mounts.cache_path',
      'is required with `enabled: true`',
      'a folder in the volume',
    );
  if (mounts.mount_path === null)
    report.add(
      'deployment.lepton_config.mounts.mount_path',
      'is required with `enabled: true`',
      'where the container sees it',
    );
  const from = config.execution.lepton_platform.tasks.mounts[0]?.from ?? 'node-nfs:lepton-shared-fs';
  if (mounts.cache_path === null || mounts.mount_path === null) return [];
  return [{ path: mounts.cache_path, from, mount_path: mounts.mount_path, mount_options: {} }];
}

function endpointBody(config: ResolvedConfig, lepton: LeptonConfig): Record<string, unknown> {
  const defaults = without(config.execution.lepton_platform.deployment.platform_defaults, 'enable_rdma');
  const { scale_down: scaleDown, ...autoScaler } = lepton.auto_scaler;
  const down = without(scaleDown ?? {}, 'scale_from_zero');
  const own = {
    resource_requirement: {
      resource_shape: lepton.resource_shape,
      min_replicas: lepton.min_replicas,
      max_replicas: lepton.max_replicas,
    },
    auto_scaler: { ...autoScaler, scale_down: { no_traffic_timeout: 3600, ...down } },
    ...(lepton.health === undefined ? {} : { health: lepton.health }),
    ...(lepton.image_pull_secrets === undefined ? {} : { image_pull_secrets: lepton.image_pull_secrets }),
  };
  return mergeObjects(defaults, own);
}

/** `{{MODEL_CACHE_NAME}}`: the image's last part, tag removed, dots as dashes. */
function fillCacheName(spec: EndpointSpec, image: string): EndpointSpec {
  const name = (image.split('/').at(-1) ?? image).replace(/[:@].*$/, '').replaceAll('.', '-');
  return JSON.parse(JSON.stringify(spec).replaceAll('{{MODEL_CACHE_NAME}}', name)) as EndpointSpec;
}
