/** Checks that the keys of a deployment fit together. */
import { gpusOfShape } from '../derive';
import type { ResolvedConfig } from '../schema/config';
import type { DedicatedDeployment } from '../schema/deployment';
import type { ProblemReport } from './problem-report';

/** Reports contradictions between a deployment, its resources and `target`. */
export function checkDeployment(config: ResolvedConfig, deployment: DedicatedDeployment, report: ProblemReport): void {
  checkTarget(config, deployment, report);
  checkModel(deployment, report);
  checkParallel(deployment, report);
  checkReplicas(deployment, report);
}

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
      `is \`${asked}\`, but the model is served as \`${served}\` (deployment.served_model_name)`,
      'remove it, or set both to the same name',
    );
  } else if (
    deployment.model_id === null &&
    report.node(['deployment', 'served_model_name'])?.origin.derived !== undefined
  ) {
    report.add(
      'target.api_endpoint.model_id',
      'does not set the name under which a deployed model is served',
      `set deployment.served_model_name: ${asked}`,
    );
  }
}

function checkModel(deployment: DedicatedDeployment, report: ProblemReport): void {
  const keys =
    'checkpoint_path' in deployment
      ? (['checkpoint_path', 'hf_model_handle', 'model_id'] as const)
      : (['model_id'] as const);
  const given: string[] = [];
  for (const key of keys) {
    const value = (deployment as Readonly<Record<string, unknown>>)[key];
    if (value === 'None') report.add(`deployment.${key}`, '`None` is text in YAML', 'for no value, write null');
    else if (typeof value === 'string') given.push(key);
  }
  if (given.length > 1)
    report.add(
      `deployment.${given[1] ?? ''}`,
      `names the model to serve, and so does \`deployment.${given[0] ?? ''}\``,
      'set one of them to null',
    );
  if (given.length === 0 && deployment.type !== 'nim' && deployment.type !== 'generic') {
    report.add(
      'deployment.checkpoint_path',
      'no model to serve is set',
      'set deployment.hf_model_handle: org/model, or deployment.checkpoint_path: /path',
    );
  }
  if (deployment.served_model_name === null)
    report.add(
      'deployment.served_model_name',
      'the name under which the model is served is not set',
      'set deployment.served_model_name',
    );
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
      'lower it, set it to null to use all GPUs of the shape, or choose a larger deployment.lepton_config.resource_shape; a replica runs on one node',
    );
  else if (report.node(['deployment', 'tensor_parallel_size'])?.origin.derived !== undefined)
    report.add(
      'deployment.pipeline_parallel_size',
      `${product}, which does not use all ${gpus} GPUs of ${shape}`,
      'choose sizes that divide the number of GPUs, or set deployment.tensor_parallel_size',
    );
}

function checkReplicas({ lepton_config: lepton }: DedicatedDeployment, report: ProblemReport): void {
  const { min_replicas: min, max_replicas: max } = lepton;
  if (min > max)
    report.add(
      'deployment.lepton_config.min_replicas',
      `is ${min}, more than max_replicas (${max})`,
      'lower it, or raise max_replicas',
    );
}
