import { gpusOfShape } from '../../config/derive';
import { sharedModelOf } from '../../contract/parts';
import type { EndpointPlan, RunPlan, TaskPlan } from '../../contract/plan';
import { endpointOf } from '../../contract/endpoint-plans';

/** What one choice of `deployment.sharing` needs for all models of the run together. */
interface SharingChoice {
  /** Endpoints that are created; each loads the model once. */
  readonly endpoints: number;
  readonly at_once: number;
  /** `null`: the shape's name doesn't tell. */
  readonly gpus_at_once: number | null;
}

/** A model that is deployed, with the number of tasks that are asked of it. */
interface DeployedModel {
  readonly endpoint: EndpointPlan;
  readonly tasks: number;
  /** Endpoints that its tasks share now; 0: each task has its own. */
  readonly pool: number;
}

/** Compares the choices of `deployment.sharing`; nothing if no model is deployed for several tasks. Pure. */
export function sharingChoices(plan: RunPlan): { readonly sharing?: object } {
  const models = modelsOf(plan);
  if (!models.some(({ tasks }) => tasks > 1)) return {};
  const now = Math.max(...models.map(({ pool }) => pool));
  const pool = now > 1 ? now : 2;
  const most = plan.maxParallelEndpoints ?? Infinity;
  const choice = (size: number): SharingChoice => {
    const each = models.map((model) => ({ ...model, count: Math.min(size, model.tasks) }));
    const endpoints = each.reduce((sum, { count }) => sum + count, 0);
    const atOnce = size === Infinity ? Math.min(most, endpoints) : endpoints;
    return { endpoints, at_once: atOnce, gpus_at_once: gpusAtOnce(each, atOnce) };
  };
  return {
    sharing: { per_task: choice(Infinity), shared: choice(1), [`pool:${pool}`]: choice(pool) },
  };
}

function modelsOf(plan: RunPlan): readonly DeployedModel[] {
  const byModel = new Map<string, TaskPlan[]>();
  for (const task of plan.tasks) {
    const endpoint = endpointOf(plan, task);
    if (endpoint.kind !== 'dedicated') continue;
    const key = JSON.stringify(endpoint);
    byModel.set(key, [...(byModel.get(key) ?? []), task]);
  }
  return [...byModel.values()].flatMap((tasks) => {
    const [first] = tasks;
    if (first === undefined) return [];
    const pool = new Set(tasks.flatMap((task) => sharedModelOf(task)?.endpoint ?? [])).size;
    return [{ endpoint: endpointOf(plan, first), tasks: tasks.length, pool }];
  });
}

/** Of as many endpoints as may exist at once, those with the most GPUs. */
function gpusAtOnce(models: readonly (DeployedModel & { readonly count: number })[], most: number): number | null {
  const gpus = models.flatMap(({ endpoint, count }) => Array.from({ length: count }, () => gpusOf(endpoint)));
  if (gpus.includes(undefined)) return null;
  const sorted = gpus.map((count) => count ?? 0).sort((a, b) => b - a);
  return sorted.slice(0, most).reduce((sum, count) => sum + count, 0);
}

function gpusOf(endpoint: EndpointPlan): number | undefined {
  if (endpoint.kind !== 'dedicated') return 0;
  const requirement = (endpoint.spec.body['resource_requirement'] ?? {}) as Readonly<Record<string, unknown>>;
  const { resource_shape: shape, max_replicas: replicas } = requirement;
  const gpus = typeof shape === 'string' ? gpusOfShape(shape) : undefined;
  return gpus === undefined ? undefined : gpus * (typeof replicas === 'number' ? replicas : 1);
}
