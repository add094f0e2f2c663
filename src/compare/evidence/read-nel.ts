import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { jsonLines } from '../../results/samples/json-lines';
import { parsePythonJson } from '../../results/requests/python-json';
import { messageOf } from '../../support/error-message';
import { UsageFault } from '../../support/usage-fault';
import {
  unknownUsage,
  type DamagedItem,
  type Evidence,
  type Item,
  type ScoreEvidence,
  type Setting,
  type TaskEvidence,
} from './evidence';
import { settingOf } from './harness-settings';

/** Results of NVIDIA's `nel` 0.3: bundles `eval-*.json`, each with a `results.jsonl` beside it. */

const record = z.record(z.string(), z.unknown());
const bundleSchema = z.looseObject({
  run_id: z.string().optional(),
  sdk_version: z.string().optional(),
  config: record.catch({}),
  benchmark: z.looseObject({
    name: z.string(),
    samples: z.number().nullish().catch(null),
    scores: record.catch({}),
  }),
});
type Bundle = z.infer<typeof bundleSchema>;

const isBundleName = (name: string): boolean => /^eval-.*\.json$/.test(name);

/** Returns the bundles in a folder, or in the folders in it, one each; the names that `nel` looks for. */
export async function nelBundles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const here = entries.filter((entry) => !entry.isDirectory() && isBundleName(entry.name));
  const below = entries
    .filter((entry) => entry.isDirectory())
    .map(async ({ name }) => {
      const names = (await readdir(path.join(folder, name)).catch(() => [])).filter(isBundleName);
      return names.map((bundle) => path.join(folder, name, bundle));
    });
  return [...here.map(({ name }) => path.join(folder, name)), ...(await Promise.all(below)).flat()].sort();
}

/** Reads bundles of one run. Throws `UsageFault` if two are of the same benchmark, or none can be read. */
export async function readNel(
  { label, folder }: { readonly label: string; readonly folder: string },
  bundles: readonly string[],
): Promise<Evidence> {
  const notes: string[] = [];
  const tasks = new Map<string, { readonly file: string; readonly task: TaskEvidence }>();
  const models = new Set<string>();
  for (const file of bundles) {
    const bundle = await readBundle(file).catch((error: unknown) => {
      notes.push(`${file} can't be read: ${messageOf(error)}`);
      return undefined;
    });
    if (!bundle) continue;
    const { name } = bundle.benchmark;
    const same = tasks.get(name);
    if (same)
      throw new UsageFault(
        `${folder} has two results of ${name}: ${same.file} and ${file}. Give the folder or file of one run.`,
      );
    if (typeof bundle.config['model'] === 'string') models.add(bundle.config['model']);
    tasks.set(name, { file, task: taskOf(bundle, path.dirname(file)) });
  }
  if (tasks.size === 0) throw new UsageFault(`None of the results in ${folder} can be read: ${notes.join('; ')}`);
  const model = models.size === 1 ? [...models].join() : null;
  return {
    label,
    kind: 'nel',
    folder,
    model,
    invocation: null,
    tasks: [...tasks.values()].map(({ task }) => task),
    usage: { seconds: null, cost: null },
    notes,
  };
}

async function readBundle(file: string): Promise<Bundle> {
  const parsed = bundleSchema.safeParse(parsePythonJson(await readFile(file, 'utf8')));
  if (!parsed.success) throw new Error('it names no benchmark');
  return parsed.data;
}

function taskOf({ benchmark, config, sdk_version: version }: Bundle, folder: string): TaskEvidence {
  const file = path.join(folder, 'results.jsonl');
  return {
    name: benchmark.name,
    index: null,
    incomplete: null,
    scores: scoresOf(benchmark),
    items: [
      { path: [benchmark.name], file, expected: benchmark.samples ?? null, isMean: true, read: () => readItems(file) },
    ],
    settings: settingsOf(config, version),
    usage: usageOf(benchmark.scores['runtime']),
    notes: [],
  };
}

const scoreSchema = z.looseObject({
  value: z.number(),
  ci_lower: z.number().nullish(),
  ci_upper: z.number().nullish(),
});
/** Half of a 95 % interval, in standard errors. */
const halfInterval = 1.959963984540054;

function scoresOf({ name, scores, samples }: Bundle['benchmark']): ScoreEvidence[] {
  const read = Object.entries(scores).flatMap(([metric, content]) => {
    const parsed = scoreSchema.safeParse(content);
    return parsed.success ? [{ metric, ...parsed.data }] : [];
  });
  const main = read.find(({ metric }) => metric === 'mean_reward') ?? read.find(({ metric }) => metric === 'pass@1');
  return read.map(({ metric, value, ci_lower: low, ci_upper: high }) => ({
    path: [name],
    level: metric === main?.metric || metric.startsWith('scorer:') ? 'overall' : 'part',
    metric,
    filter: null,
    value,
    stderr: typeof low === 'number' && typeof high === 'number' ? (high - low) / (2 * halfInterval) : null,
    count: samples ?? null,
    better: 'higher',
  }));
}

function settingsOf(config: Readonly<Record<string, unknown>>, version: string | undefined): Setting[] {
  const own = (kind: Setting['kind'], name: string): Setting[] => settingOf(kind, name, config[name], null);
  return [
    ...own('generation', 'temperature'),
    ...own('generation', 'top_p'),
    ...own('generation', 'max_tokens'),
    ...own('generation', 'repeats'),
    ...own('limit', 'max_problems'),
    ...own('prompt-format', 'system_prompt'),
    ...own('seed', 'seed'),
    ...own('seed', 'shuffle_seed'),
    ...own('model', 'model'),
    ...settingOf('harness', 'nemo-evaluator', version, null),
  ];
}

const runtimeSchema = z.looseObject({
  total_steps: z.number().nullish(),
  prompt_tokens: z.number().nullish(),
  completion_tokens: z.number().nullish(),
  elapsed_seconds: z.number().nullish(),
});

function usageOf(runtime: unknown): TaskEvidence['usage'] {
  const found = runtimeSchema.safeParse(runtime).data;
  return {
    ...unknownUsage,
    inferenceSeconds: found?.elapsed_seconds ?? null,
    requests: found?.total_steps ?? null,
    promptTokens: found?.prompt_tokens ?? null,
    completionTokens: found?.completion_tokens ?? null,
  };
}

async function* readItems(file: string): AsyncGenerator<Item | DamagedItem, void, undefined> {
  for await (const read of jsonLines(file)) {
    if (read.kind === 'damaged') yield read;
    else yield itemOf(read.line, read.content);
  }
}

/** Pure. */
function itemOf(line: number, content: Readonly<Record<string, unknown>>): Item | DamagedItem {
  const id = content['problem_idx'];
  const reward = content['reward'];
  if (typeof id !== 'number' && typeof id !== 'string') return { kind: 'damaged', line, reason: 'no problem_idx' };
  if (typeof reward !== 'number' && typeof reward !== 'boolean') return { kind: 'damaged', line, reason: 'no reward' };
  return {
    kind: 'item',
    line,
    hash: null,
    id: String(id),
    filter: null,
    prompt: digestOf(content['prompt']),
    target: digestOf(content['expected_answer']),
    values: {
      mean_reward: Number(reward),
      'pass@1': Number(reward) > 0 ? 1 : 0,
      ...numbersOf(content['scorer_rewards']),
    },
    category: categoryOf(content['metadata']) ?? categoryOf(content['scoring_details']),
    content,
  };
}

function digestOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}

function numbersOf(rewards: unknown): Record<string, number> {
  const parsed = z.record(z.string(), z.number()).safeParse(rewards);
  return parsed.success ? parsed.data : {};
}

function categoryOf(details: unknown): string | null {
  const category = z.looseObject({ category: z.union([z.string(), z.number()]) }).safeParse(details).data?.category;
  return category === undefined ? null : String(category);
}
