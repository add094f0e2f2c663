/** Plans the endpoint that a run deploys for each of its tasks. */
import type { EndpointPlan, EndpointSpec, EnvEntry, MountSpec, ProbeSpec, TokenEntry } from '../../contract/plan';
import type { ResolvedConfig } from '../schema/config';
import type { DedicatedDeployment, LeptonConfig } from '../schema/deployment';
import { checkDeployment } from './check-deployment';
import { mergeVariables } from './merge-variables';
import type { Variables } from './merge-variables';
import type { ProblemReport } from './problem-report';
import type { SharedCaches } from './shared-caches';
import { modelReference, serverCommand, wrapCommand } from './server-command';
import { mergeObjects, without } from './wire-objects';

export interface EndpointRequest {
  readonly config: ResolvedConfig;
  readonly deployment: DedicatedDeployment;
  readonly trustCommands: boolean;
  readonly caches: SharedCaches | undefined;
  /** What callers must present; empty: nothing. */
  readonly tokens: readonly TokenEntry[];
  readonly report: ProblemReport;
}

/** Returns the name under which the model is served and requested. */
export const servedModelOf = ({ deployment, target }: ResolvedConfig): string =>
  (deployment.type === 'none' ? target.api_endpoint.model_id : deployment.served_model_name) ?? '';

/** Plans the endpoint; problems are added to `report`. `warmUp`: the kind of request that tries the model. */
export function dedicatedEndpoint(
  { config, deployment, trustCommands, caches, tokens, report }: EndpointRequest,
  warmUp: ProbeSpec['warmUp'],
): EndpointPlan {
  checkDeployment(config, deployment, report);
  const model = modelReference(deployment) ?? deployment.served_model_name ?? '';
  const servedModel = servedModelOf(config);
  const variables = mergeVariables([deployment.env_vars, deployment.envs, deployment.lepton_config.envs]);
  const command = containerCommand({ deployment, model, servedModel, variables, trustCommands, report });
  const nodes = config.execution.lepton_platform.deployment.allowed_nodes;
  const raw: EndpointSpec = {
    container: {
      image: deployment.image,
      ports: [{ container_port: deployment.port }],
      ...(command === undefined ? {} : { command }),
    },
    envs: uniqueByName([
      ...(caches?.ofEndpoint ?? []),
      ...serverVariables({ deployment, model, servedModel }),
      ...variables.entries,
    ]),
    apiTokens: tokens,
    mounts: [...cacheMount(config, deployment.lepton_config, report), ...(caches ? [caches.mount] : [])],
    nodeGroup: config.execution.lepton_platform.deployment.node_group,
    ...(nodes.length === 0 ? {} : { allowedNodes: nodes }),
    body: endpointBody(config, deployment.lepton_config),
  };
  const spec = fillCacheName(raw, deployment.image);
  const healthPath = deployment.endpoints['health'] ?? null;
  return { kind: 'dedicated', spec, probe: { servedModel, healthPath, warmUp, token: tokens[0] ?? null } };
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
      'if you trust this file, set NEMO_EVALUATOR_TRUST_PRE_CMD=1',
    );
  if (command === undefined) {
    const reason = "the image's own entry point is used, so nothing can run before it";
    if (preCmd !== null) report.add('deployment.pre_cmd', reason, 'set deployment.command');
    if (variables.runtime.length > 0)
      report.add(
        'deployment.envs',
        `\`runtime:\` copies a variable before the server starts, but ${reason}`,
        'set deployment.command',
      );
    return undefined;
  }
  return wrapCommand({ command, preCmd, runtime: variables.runtime });
}

/** Returns variables that images and their start scripts expect. */
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
      'set it to a folder in the volume',
    );
  if (mounts.mount_path === null)
    report.add(
      'deployment.lepton_config.mounts.mount_path',
      'is required with `enabled: true`',
      'set it to the folder in the container, e.g. /cache',
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
      ...(lepton.shared_memory_size === null ? {} : { shared_memory_size: lepton.shared_memory_size }),
    },
    auto_scaler: { ...autoScaler, scale_down: { no_traffic_timeout: 3600, ...down } },
    ...(lepton.allow_unauthenticated_access ? { allow_unauthenticated_access: true } : {}),
    ...(lepton.health === undefined ? {} : { health: lepton.health }),
    ...(lepton.image_pull_secrets === undefined ? {} : { image_pull_secrets: lepton.image_pull_secrets }),
  };
  return mergeObjects(defaults, own);
}

/** Replaces `{{MODEL_CACHE_NAME}}` by the last part of the image's name, without tag, dots as dashes. */
function fillCacheName(spec: EndpointSpec, image: string): EndpointSpec {
  const name = (image.split('/').at(-1) ?? image).replace(/[:@].*$/, '').replaceAll('.', '-');
  return JSON.parse(JSON.stringify(spec).replaceAll('{{MODEL_CACHE_NAME}}', name)) as EndpointSpec;
}
