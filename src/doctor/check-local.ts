import { parse } from 'yaml';
import { z } from 'zod';
import { describeTask } from '../config/catalogue/catalogue';
import { runConfigIn } from '../config/plan/read-script';
import { endpointsOf } from '../contract/endpoint-plans';
import type { EndpointSpec, RunPlan, TaskPlan } from '../contract/plan';
import { hubReachable, offlineRows } from '../local-platform/harness/data';
import { installedHarness } from '../local-platform/harness/provision-harness';
import type { HomePaths } from '../home/paths';
import { hubOutOfReach, ModelUnavailable, sourceOfWeights } from '../local-platform/model-server/weights';
import { cleanEnvironment } from '../local-platform/runtimes/process/process-env';
import { harnessRefusal } from '../local-platform/runtimes/process/job-plan';
import { canRunOwnServer } from '../local-platform/runtimes/process/own-server';
import { findServer, readServerRequest } from '../local-platform/runtimes/process/server-command';
import { misfit, ok, warn, type Finding } from './finding';

export interface LocalCheck {
  readonly plan: RunPlan;
  readonly home: HomePaths;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks whether the local platform can serve the model and has the data of the tasks, which would otherwise fail minutes
 * later. Fetches and starts nothing; contacts the hub only if something needs it.
 */
export async function checkLocalRun({ plan, home, signal }: LocalCheck): Promise<Finding[]> {
  const hub = once(async () => {
    const harness = await installedHarness({ home });
    return harness === undefined ? 'not known' : (await hubReachable(harness, signal)) ? 'reachable' : 'out of reach';
  });
  const model: Finding[] = [];
  for (const { endpoint } of [...endpointsOf(plan), ...(plan.sharedEndpoints ?? [])])
    if (endpoint.kind === 'dedicated') model.push(...(await checkWeights(endpoint.spec, hub)));
  const tasks: Finding[] = [];
  const looks = new Map<string, Promise<DataFound>>();
  for (const task of plan.tasks) tasks.push(...(await checkTask(task, { hub, looks })));
  return [...distinct(model), ...tasks];
}

/** Tasks may differ in other parts of their endpoints than the model. */
const distinct = (findings: readonly Finding[]): Finding[] => [
  ...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values(),
];

type AskHub = () => Promise<'reachable' | 'out of reach' | 'not known'>;

async function checkWeights(spec: EndpointSpec, hub: AskHub): Promise<Finding[]> {
  const about = 'model';
  const envs = spec.envs.map((entry) => ('value' in entry ? entry : { name: entry.name }));
  const body = { container: { command: [...(spec.container.command ?? [])] }, envs };
  const model = readServerRequest(body)?.model;
  // A model on a mount is found only at run time.
  if (model === undefined || spec.mounts.some(({ mount_path: mount }) => model.startsWith(mount))) return [];
  const { words } = findServer(body.container.command);
  if (await canRunOwnServer(words, cleanEnvironment(process.env, { server: true })))
    return [ok(about, `${model} is served by ${words[0]} of this machine`)];
  try {
    const source = await sourceOfWeights(model);
    if (source.kind !== 'hub') return [ok(about, `${model} can be served on this machine`)];
    const state = await hub();
    if (state === 'out of reach') throw new ModelUnavailable(model, hubOutOfReach);
    if (state === 'reachable') return [ok(about, `${model} will be downloaded from the hub, if it holds GGUF weights`)];
    return [warn(about, `the weights of ${model} are not on this machine`, 'the run downloads them from the hub')];
  } catch (error) {
    if (!(error instanceof ModelUnavailable)) throw error;
    return [misfit(about, error.message, 'name another model in deployment, or run it with --platform lepton')];
  }
}

const harness = 'lm-evaluation-harness';

interface DataFound {
  /** What decides which data a task needs; `undefined`: the task is not one of this harness. */
  readonly needed: ReturnType<typeof neededData>;
  readonly rows: Awaited<ReturnType<typeof offlineRows>> | undefined;
}

async function dataFound(task: TaskPlan): Promise<DataFound> {
  const needed = neededData(task);
  return { needed, rows: needed && (await offlineRows(needed.task)) };
}

/** `looks`: by what decides them. A run has thousands of tasks, but few different ones. */
async function checkTask(
  task: TaskPlan,
  { hub, looks }: { readonly hub: AskHub; readonly looks: Map<string, Promise<DataFound>> },
): Promise<Finding[]> {
  const about = `task ${task.index} (${task.name})`;
  const refusal = harnessRefusal(task.job.container.image);
  if (refusal !== undefined)
    return [misfit(about, refusal, `evalsaga ls tasks names the harness of each task: ${harness} runs here`)];
  // A job with a cache of its own brings its data.
  if (task.job.envs.some(({ name }) => name === 'HF_HOME')) return [];
  const key = `${task.task} ${runConfigIn(task.job.container.command) ?? ''}`;
  const look = looks.get(key) ?? dataFound(task);
  looks.set(key, look);
  const { needed, rows } = await look;
  if (!needed || (rows && (rows.hasExamples || !needed.examples))) return [];
  const missing = rows
    ? `${needed.examples}-shot prompts need its train split, which only the dataset hub has`
    : 'its data comes from the dataset hub';
  const advice = rows
    ? 'set config.params.extra.num_fewshot: 0, or run with internet access'
    : 'choose tasks whose data is included (hellaswag, winogrande, arc_challenge, piqa, gsm8k, mmlu, …), set HF_HOME in env_vars to a cache that has it, or run with internet access';
  switch (await hub()) {
    case 'reachable':
      return [];
    case 'out of reach':
      return [misfit(about, `${missing}, and the hub can't be reached`, advice)];
    case 'not known':
      return [
        warn(
          about,
          `${missing}; whether the hub can be reached is known only once the run has installed the harness`,
          advice,
        ),
      ];
  }
}

const runConfigSchema = z.looseObject({
  config: z.looseObject({
    params: z
      .looseObject({
        task: z.string().nullish(),
        extra: z.looseObject({ num_fewshot: z.number().nullish() }).nullish(),
      })
      .nullish(),
  }),
});

/** Returns what decides which data a task needs; `undefined`: the task is not one of this harness. */
function neededData({ task, job }: TaskPlan): { readonly task: string; readonly examples: number } | undefined {
  const [listed] = describeTask(task);
  if (listed?.harness !== harness) return undefined;
  const yaml = runConfigIn(job.container.command);
  const read = runConfigSchema.safeParse(yaml === undefined ? undefined : parse(yaml));
  const params = read.success ? read.data.config.params : undefined;
  const preset = listed.params?.['task'];
  return {
    task: params?.task ?? (typeof preset === 'string' ? preset : listed.name),
    examples: params?.extra?.num_fewshot ?? 0,
  };
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= ask());
}
