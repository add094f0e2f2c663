/** From a loaded config to the plan of a run: everything decided, nothing created. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { EndpointPlan, PlatformRef, ProbeSpec, RunPlan, SecretRef, TaskPlan } from '../../contract/plan';
import { describeOversize, sizeOfPlan } from '../../contract/plan-size';
import { variablesIn } from '../../contract/url-placeholders';
import { expandTilde } from '../../support/home-folder';
import type { LoadedConfig } from '../loaded';
import { maskingErrors } from '../render-config';
import type { ResolvedConfig } from '../schema/config';
import { budgetPlan } from './plan-budget';
import { dedicatedEndpoint, servedModelOf } from './plan-endpoint';
import { isLoopbackUrl, readExistingUrl, requestUrl } from './existing-url';
import type { ExistingUrl } from './existing-url';
import { checkHostSecrets } from './check-host-secrets';
import { endpointKey, jobSpec, jobVariables } from './plan-job';
import { checkNeededVariables } from './check-needed-variables';
import { endpointName, jobName, taskFolder, taskSlug } from './resource-names';
import { checkNamedVariables, checkPlatformRules } from './check-platform-rules';
import { ProblemReport } from './problem-report';
import { resolveTask } from './resolve-task';
import type { ResolvedTask } from './resolve-task';
import { storagePlan } from './plan-storage';
import { secretOf } from './merge-variables';

/** Children that one run may have: below Temporal's 2,000 pending ones; see workflows/signal-budget.ts for its events. */
const maxTasks = 1_000;

export interface PlanContext {
  readonly invocation: string;
  readonly platform: PlatformRef;
  readonly owner: string;
  /** The command line, for the record. */
  readonly command: string;
  readonly cwd: string;
}

/** Throws `ConfigError` with every problem. `hostSecrets`: variables of this host whose values the run will ask for. */
export function planRun(loaded: LoadedConfig, context: PlanContext): { plan: RunPlan; hostSecrets: readonly string[] } {
  return maskingErrors(loaded.env, () => planned(loaded, context));
}

function planned(loaded: LoadedConfig, context: PlanContext): { plan: RunPlan; hostSecrets: readonly string[] } {
  const { resolved: config, root } = loaded;
  const report = new ProblemReport(root);
  if (config.evaluation.tasks.length > maxTasks)
    report.add(
      'evaluation.tasks',
      `${config.evaluation.tasks.length} tasks are more than one run may have (${maxTasks})`,
      'split them with -t over several runs',
    );
  report.throwIfAny();
  const tasks = config.evaluation.tasks.flatMap((task, index): ResolvedTask[] => {
    const resolved = resolveTask({ config: task, index, trustUnlisted: loaded.trust.unlistedTasks, report });
    return resolved === undefined ? [] : [resolved];
  });
  checkNeededVariables({ config, tasks, platform: context.platform.kind, report });
  const { endpoint, urls } = planEndpoint({ loaded, tasks, report, platform: context.platform });
  const storage = storagePlan(config, context.invocation, report);
  const budget = budgetPlan(config, report);
  const plans =
    storage === null
      ? []
      : tasks.map((task) =>
          planTask({ loaded, task, storage, context, report, modelUrl: urls?.get(task.index) ?? null }),
        );
  if (endpoint !== undefined) checkPlatformRules({ endpoint, tasks: plans }, report);
  checkNamedVariables(report);
  report.throwIfAny();
  if (storage === null || endpoint === undefined) throw new Error('a problem was not reported');
  const plan: RunPlan = { version: 1, ...runFields(loaded, context), budget, endpoint, storage, tasks: plans };
  const hostSecrets = checkHostSecrets(plan, loaded.env, report);
  checkSize(plan, report);
  report.throwIfAny();
  return { plan, hostSecrets };
}

function runFields(
  { resolved: config, yaml }: LoadedConfig,
  context: PlanContext,
): Omit<RunPlan, 'version' | 'endpoint' | 'storage' | 'tasks'> {
  const { execution } = config;
  return {
    invocation: context.invocation,
    platform: context.platform,
    owner: context.owner,
    model: servedModelOf(config),
    outputDir: path.resolve(context.cwd, expandTilde(execution.output_dir), context.invocation),
    startPolicy: execution.start_policy,
    onTaskFailure: execution.on_task_failure,
    maxParallelEndpoints: execution.max_parallel_endpoints,
    keepStorage: execution.keep_storage,
    skipResults: execution.skip_results,
    limits: {
      endpointReadySeconds: execution.lepton_platform.deployment.endpoint_readiness_timeout,
      jobSeconds: execution.evaluation_tasks.timeout,
      teardownSeconds: execution.teardown_timeout,
      runSeconds: execution.max_run_time,
      resultBytes: execution.max_result_size,
    },
    provenance: { configDigest: createHash('sha256').update(yaml).digest('hex'), command: context.command },
  };
}

interface EndpointRequest {
  readonly platform: PlatformRef;
  readonly loaded: LoadedConfig;
  readonly tasks: readonly ResolvedTask[];
  readonly report: ProblemReport;
}

/** `urls`: for an existing endpoint, the request URL of tasks that do not use the common one. */
function planEndpoint(request: EndpointRequest): {
  endpoint: EndpointPlan | undefined;
  urls?: ReadonlyMap<number, string>;
} {
  const { loaded, tasks, report } = request;
  const { deployment } = loaded.resolved;
  if (deployment.type === 'none') return existingEndpoint(request);
  for (const task of tasks) {
    if (endpointPathFor(loaded.resolved, task) !== undefined) continue;
    const known = Object.keys(deployment.endpoints)
      .filter((key) => key !== 'health')
      .join(', ');
    report.add(
      `evaluation.tasks.${task.index}.name`,
      `needs a ${task.endpoint} endpoint, and \`deployment.endpoints\` has no path for it`,
      `it has: ${known}; add deployment.endpoints.${task.endpoint}, or choose another task`,
    );
  }
  const endpoint = dedicatedEndpoint(
    { config: loaded.resolved, deployment, trustCommands: loaded.trust.commands, report },
    warmUpOf(tasks),
  );
  return { endpoint };
}

function existingEndpoint({ loaded, tasks, report, platform }: EndpointRequest): {
  endpoint: EndpointPlan | undefined;
  urls?: ReadonlyMap<number, string>;
} {
  const { resolved: config } = loaded;
  const { url, model_id: model } = config.target.api_endpoint;
  if (model === null)
    report.add(
      'target.api_endpoint.model_id',
      'is required with `deployment: none`',
      'the name the endpoint serves the model under',
    );
  if (url === null) {
    report.add(
      'target.api_endpoint.url',
      'is required with `deployment: none`: it says which endpoint to evaluate',
      'e.g. -o target.api_endpoint.url=https://host/v1',
    );
    return { endpoint: undefined };
  }
  const existing = readExistingUrl(url);
  if (existing.kind === 'invalid') {
    report.add('target.api_endpoint.url', existing.message, existing.hint);
    return { endpoint: undefined };
  }
  if (platform.kind === 'lepton' && isLoopbackUrl(existing.url) && !isLoopbackUrl(platform.url))
    report.add(
      'target.api_endpoint.url',
      `${new URL(existing.url).host} is this machine, which a job on Lepton can't reach`,
      'name an address that the workspace reaches, or run here: --platform local',
    );
  const [first] = tasks;
  if (first === undefined) return { endpoint: undefined };
  checkRequestKinds(existing, tasks, report);
  const common = requestUrl(existing, first.kind);
  // One with a secret in it is put together in the job: it may not be in the spec's own variables either.
  const isSecret = variablesIn(common).length > 0;
  const urls = new Map(
    tasks
      .filter((task) => isSecret || requestUrl(existing, task.kind) !== common)
      .map((task) => [task.index, requestUrl(existing, task.kind)]),
  );
  const variables = jobVariables(config, first);
  const key = endpointKey(config, first, variables);
  if (key !== undefined && new URL(common).username !== '')
    report.add(
      'target.api_endpoint.url',
      `the URL holds a user, and ${key.name} a key: a request can carry only one of them`,
      'leave the user and password out of the URL, or the key out of the config (target.api_endpoint.api_key_name)',
    );
  const token: SecretRef | null = key === undefined ? null : (secretOf(variables, key.name) ?? key.secret);
  return {
    endpoint: {
      kind: 'existing',
      url: common,
      probe: { servedModel: model ?? '', healthPath: null, warmUp: warmUpOf(tasks), token },
    },
    urls,
  };
}

function checkRequestKinds(
  existing: Exclude<ExistingUrl, { kind: 'invalid' }>,
  tasks: readonly ResolvedTask[],
  report: ProblemReport,
): void {
  if (existing.kind !== 'full' || existing.takes === undefined) return;
  for (const task of tasks) {
    if (task.kind === existing.takes) continue;
    const needs =
      task.catalogueEntry?.capabilities === undefined ? '' : ` with ${task.catalogueEntry.capabilities.join(', ')}`;
    report.add(
      `evaluation.tasks.${task.index}.name`,
      `needs a ${task.kind} endpoint${needs}, but target.api_endpoint.url takes ${existing.takes} requests`,
      'give the base URL (…/v1), and each task uses the path it needs, or choose the variant of the task for this kind of endpoint',
    );
  }
}

/** One tiny request of the kind the tasks make. */
function warmUpOf(tasks: readonly ResolvedTask[]): ProbeSpec['warmUp'] {
  const kinds = new Set(tasks.map(({ kind }) => kind));
  return kinds.has('completions') ? 'completions' : kinds.has('chat') ? 'chat' : 'none';
}

function endpointPathFor({ deployment }: ResolvedConfig, task: ResolvedTask): string | undefined {
  if (deployment.type === 'none') return '';
  return deployment.endpoints[task.endpoint] ?? deployment.endpoints[task.kind] ?? undefined;
}

function planTask({
  loaded,
  task,
  storage,
  context,
  report,
  modelUrl,
}: {
  loaded: LoadedConfig;
  task: ResolvedTask;
  storage: NonNullable<ReturnType<typeof storagePlan>>;
  context: PlanContext;
  report: ProblemReport;
  modelUrl: string | null;
}): TaskPlan {
  const { resolved: config } = loaded;
  const { deployment } = config;
  const parts = { slug: taskSlug(task.task), index: task.index, invocation: context.invocation };
  const folder = taskFolder(parts);
  return {
    index: task.index,
    name: task.config.name,
    task: task.task,
    endpointName:
      deployment.type === 'none'
        ? null
        : endpointName(deployment.lepton_config.endpoint_name ?? deployment.type, parts),
    jobName: jobName(parts),
    endpointPath: endpointPathFor(config, task) ?? '',
    folder,
    job: jobSpec({
      config,
      task,
      folder,
      model: servedModelOf(config),
      storage,
      trustCommands: loaded.trust.commands,
      modelUrl,
      report,
    }),
  };
}

function checkSize(plan: RunPlan, report: ProblemReport): void {
  const size = sizeOfPlan(plan, (text) => Buffer.byteLength(text));
  if (size.kind === 'fits') return;
  const { problem, advice } = describeOversize(size, plan.tasks.length);
  report.add(size.kind === 'plan' ? 'evaluation' : 'deployment', problem, advice);
}
