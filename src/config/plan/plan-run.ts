/** Turns a loaded config into the plan of a run. Everything is decided then, and nothing created yet. */
import type {
  BudgetPlan,
  EndpointPlan,
  PlatformRef,
  RunPlan,
  SharedEndpointPlan,
  StoragePlan,
  TaskPlan,
} from '../../contract/plan';
import { sharedModelOf } from '../../contract/parts';
import { taskNameOf } from '../../contract/task-name';
import { describeOversize, sizeOfPlan } from '../../contract/plan-size';
import type { LoadedConfig } from '../loaded';
import { maskingErrors } from '../render-config';
import type { ResolvedConfig } from '../schema/config';
import type { PlannedAuxiliaries, TaskAuxiliaries } from './plan-auxiliary';
import { auxiliariesOf, placesForTasks, variantParts, variantsIn, type VariantPart } from './plan-variants';
import { budgetPlan } from './plan-budget';
import { endpointTokens } from './endpoint-access';
import { dedicatedEndpoint, servedModelOf } from './plan-endpoint';
import { checkEarlyJobs } from './check-early-jobs';
import { checkHostSecrets } from './check-host-secrets';
import { existingEndpoint, warmUpOf } from './plan-existing-endpoint';
import type { PlannedEndpoint } from './plan-existing-endpoint';
import { jobSpec, jobVariables } from './plan-job';
import { checkNodeGroups } from './check-node-groups';
import { ownSetting } from './own-settings';
import { checkNeededVariables } from './check-needed-variables';
import { endpointName, jobName, taskFolder, taskSlug, type NameParts } from './resource-names';
import { checkNamedVariables, checkPlatformRules, checkSharedEndpoints } from './check-platform-rules';
import { poolOf, sharedOf, useOf, type Pool } from './plan-sharing';
import { ProblemReport } from './problem-report';
import { planExports } from './plan-exports';
import { resultsStore } from './plan-results-store';
import { runFields, type PlanContext } from './run-fields';
import { sharedCaches } from './shared-caches';
import type { ResolvedTask } from './resolve-task';
import { storagePlan } from './plan-storage';

export type { PlanContext };

/** Limit on tasks: as many have been tried (docs/performance.md). */
const maxTasks = 5_000;

/**
 * Plans a run. Throws `ConfigError` with all problems. `hostSecrets` are the variables of this host whose values the run will
 * need.
 */
export function planRun(loaded: LoadedConfig, context: PlanContext): { plan: RunPlan; hostSecrets: readonly string[] } {
  return maskingErrors(loaded.env, () => planned(loaded, context));
}

function planned(loaded: LoadedConfig, context: PlanContext): { plan: RunPlan; hostSecrets: readonly string[] } {
  const { resolved: config, root } = loaded;
  const report = new ProblemReport(root);
  const variants = variantsIn(loaded);
  const count = variants.reduce((sum, { positions }) => sum + positions.length, 0);
  if (count > maxTasks)
    report.add(
      'evaluation.tasks',
      `${count} tasks are more than a run can have (${maxTasks})`,
      'split them into several runs with -t or --model',
    );
  report.throwIfAny();
  checkNodeGroups(config, report);
  const storage = storagePlan(config, context.invocation, report);
  const store = resultsStore(config, { env: loaded.env, report });
  const exports = planExports(config, { env: loaded.env, cwd: context.cwd, hasStore: store !== undefined, report });
  const parts = variantParts(loaded, report);
  const auxiliaries = auxiliariesOf(parts, { loaded, context, report });
  const planned = planVariants(parts, { context, storage, auxiliaries });
  const shared = [...auxiliaries.shared, ...planned.flatMap((variant) => variant.shared)];
  checkEarlyJobs(
    config,
    variants.some(({ resolved }) => resolved.deployment.type !== 'none'),
    report,
  );
  checkNamedVariables(report);
  checkSharedEndpoints(shared, report);
  const [first] = planned;
  if (storage === null || first?.endpoint === undefined) {
    report.throwIfAny();
    throw new Error('a problem was not reported');
  }
  const fields = {
    ...runFields(loaded, context),
    ...(store === undefined ? {} : { resultsStore: store }),
    maxParallelEndpoints: placesForTasks(config, { shared, hasOwn: planned.some(hasOwnEndpoints) }, report),
    ...(shared.length === 0 ? {} : { sharedEndpoints: shared }),
    ...(exports.length === 0 ? {} : { exports }),
  };
  const { budget, endpoint } = first;
  const tasks = withOwn(planned);
  const model = [...new Set(variants.map(({ resolved }) => servedModelOf(resolved)))].join(', ');
  const plan: RunPlan = { version: 1, ...fields, model, budget, endpoint, storage, tasks };
  const hostSecrets = checkHostSecrets(plan, loaded.env, report);
  checkSize(plan, report);
  report.throwIfAny();
  return { plan, hostSecrets };
}

interface PlannedVariant {
  /** Endpoints that several of its tasks use. */
  readonly shared: readonly SharedEndpointPlan[];
  readonly endpoint: EndpointPlan | undefined;
  readonly budget: BudgetPlan | null;
  readonly tasks: readonly TaskPlan[];
}

const hasOwnEndpoints = ({ tasks }: PlannedVariant): boolean => tasks.some(({ endpointName: own }) => own !== null);

interface VariantSurroundings {
  readonly context: PlanContext;
  readonly storage: StoragePlan | null;
  readonly auxiliaries: PlannedAuxiliaries;
}

function planVariants(parts: readonly VariantPart[], around: VariantSurroundings): readonly PlannedVariant[] {
  let first = around.auxiliaries.shared.length;
  return parts.map((part) => {
    const { resolved, model } = part.variant;
    const tasks = part.tasks.length;
    const pool = poolOf(resolved, { tasks, model, invocation: around.context.invocation, first });
    first += pool?.members.length ?? 0;
    return planVariant({ ...part, ...around, pool });
  });
}

/** Plans the tasks of one variant, with their positions in the run. */
function planVariant({
  loaded,
  variant: { resolved: config, positions, model },
  tasks,
  report,
  context,
  storage,
  auxiliaries,
  pool,
}: VariantPart & VariantSurroundings & { readonly pool: Pool | undefined }): PlannedVariant {
  const provided = (task: ResolvedTask) => auxiliaries.of(task).entries.map(({ name }) => name);
  checkNeededVariables({ config, tasks, env: loaded.env, platform: context.platform.kind, provided, report });
  const { endpoint, urls } = planEndpoint({ loaded, tasks, report, platform: context.platform });
  const budget = budgetPlan(config, report);
  const plans =
    storage === null
      ? []
      : tasks.map((task, at) =>
          planTask({
            ...{ loaded, task, storage, context, report, endpoint, model },
            use: pool && useOf(pool, at),
            position: positions[task.index] ?? task.index,
            modelUrl: urls?.get(task.index) ?? null,
            auxiliaries: auxiliaries.of(task),
          }),
        );
  if (endpoint !== undefined)
    checkPlatformRules(
      { endpoint, tasks: plans.map((plan, at) => ({ ...plan, index: tasks[at]?.index ?? plan.index })) },
      report,
    );
  const shared = pool && endpoint ? sharedOf(pool, { endpoint, price: budget?.endpointPerHour }) : [];
  return { endpoint, budget, shared, tasks: plans };
}

/** Gives tasks the endpoint of their variant and its price, where these differ: then all of them, which packs better (contract/packed.ts). */
function withOwn(variants: readonly PlannedVariant[]): TaskPlan[] {
  const differs = (part: (variant: PlannedVariant) => unknown): boolean =>
    new Set(variants.map((variant) => JSON.stringify(part(variant)))).size > 1;
  const isOther = differs(({ endpoint }) => endpoint);
  const isPriced = differs(({ budget }) => budget?.endpointPerHour);
  const tasks = variants.flatMap(({ endpoint, budget, tasks: own }) =>
    own.map((task) => ({
      ...task,
      ...(isOther && endpoint ? { endpoint } : {}),
      ...(isPriced && budget ? { endpointPerHour: budget.endpointPerHour } : {}),
      // The shared endpoint has the price.
      ...(budget && sharedModelOf(task) ? { endpointPerHour: 0 } : {}),
    })),
  );
  return tasks.sort((a, b) => a.index - b.index);
}

interface EndpointRequest {
  readonly platform: PlatformRef;
  readonly loaded: LoadedConfig;
  readonly tasks: readonly ResolvedTask[];
  readonly report: ProblemReport;
}

function planEndpoint({ loaded, platform, tasks, report }: EndpointRequest): PlannedEndpoint {
  const { deployment } = loaded.resolved;
  if (deployment.type === 'none') return existingEndpoint({ config: loaded.resolved, platform, tasks, report });
  for (const task of tasks) {
    if (endpointPathFor(loaded.resolved, task) !== undefined) continue;
    if (ownSetting(loaded.resolved, task, 'url') !== undefined) continue;
    const known = Object.keys(deployment.endpoints)
      .filter((key) => key !== 'health')
      .join(', ');
    report.add(
      `evaluation.tasks.${task.index}.name`,
      `needs a ${task.endpoint} endpoint, and \`deployment.endpoints\` has no path for it`,
      `it has: ${known}. Add deployment.endpoints.${task.endpoint}, or choose another task`,
    );
  }
  const config = loaded.resolved;
  const withVariables = tasks.map((task) => ({ task, variables: jobVariables(config, task) }));
  const tokens = endpointTokens({ config, deployment, env: loaded.env, tasks: withVariables, report });
  const endpoint = dedicatedEndpoint(
    {
      ...{ config, deployment, tokens, report },
      trustCommands: loaded.trust.commands,
      caches: sharedCaches(config, platform.kind),
    },
    warmUpOf(tasks),
  );
  return { endpoint };
}

function endpointPathFor({ deployment }: ResolvedConfig, task: ResolvedTask): string | undefined {
  if (deployment.type === 'none') return '';
  return deployment.endpoints[task.endpoint] ?? deployment.endpoints[task.kind] ?? undefined;
}

/** Returns the name of a task's dedicated endpoint; `null`: the model is served elsewhere. */
const ownEndpointName = ({ deployment }: ResolvedConfig, model: string | null, parts: NameParts): string | null =>
  deployment.type === 'none'
    ? null
    : endpointName(deployment.lepton_config.endpoint_name ?? model ?? deployment.type, parts);

function planTask({
  loaded,
  task,
  storage,
  context,
  report,
  endpoint,
  modelUrl,
  model,
  position,
  auxiliaries: all,
  use,
}: {
  loaded: LoadedConfig;
  task: ResolvedTask;
  storage: StoragePlan;
  context: PlanContext;
  report: ProblemReport;
  endpoint: EndpointPlan | undefined;
  modelUrl: string | null;
  /** Name in `models`. */
  model: string | null;
  /** In the run. */
  position: number;
  auxiliaries: TaskAuxiliaries;
  /** The shared endpoint that serves the model; `undefined`: the task has its own. */
  use: ReturnType<typeof useOf> | undefined;
}): TaskPlan {
  const { resolved: config } = loaded;
  const parts = { slug: taskSlug(task.task), index: position, invocation: context.invocation };
  const folder = taskFolder(parts, model);
  const endpointPath = endpointPathFor(config, task) ?? '';
  const auxiliaries = use === undefined ? all : { ...all, uses: [...all.uses, use] };
  const ownName = ownEndpointName(config, model, parts);
  return {
    index: position,
    name: taskNameOf(model, task.config.name),
    ...(model === null ? {} : { model }),
    task: task.task,
    endpointName: use === undefined ? ownName : null,
    jobName: jobName(parts),
    ...(task.cataloguedImage === undefined ? {} : { cataloguedImage: task.cataloguedImage }),
    endpointPath,
    folder,
    ...(auxiliaries.uses.length === 0 ? {} : { uses: auxiliaries.uses }),
    job: jobSpec({
      ...{ config, task, folder, storage, modelUrl, auxiliaries, endpointPath, report },
      model: servedModelOf(config),
      trustCommands: loaded.trust.commands,
      caches: sharedCaches(config, context.platform.kind),
      access:
        ownName === null || endpoint?.kind !== 'dedicated'
          ? null
          : {
              invocation: context.invocation,
              endpoint: use?.servesModel ?? ownName,
              tokens: endpoint.spec.apiTokens,
            },
    }),
  };
}

function checkSize(plan: RunPlan, report: ProblemReport): void {
  const size = sizeOfPlan(plan, (text) => Buffer.byteLength(text));
  if (size.kind === 'fits') return;
  const { problem, advice } = describeOversize(size, plan.tasks.length);
  report.add(size.kind === 'plan' ? 'evaluation' : 'deployment', problem, advice);
}
