import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Writes result folders in the form of lm-evaluation-harness, of evalsaga and of `nel`, from values by sample. */

export interface HarnessTask {
  readonly name: string;
  readonly group?: string;
  /** Metric → value by sample; `exact_match,strict-match` for one of several filters. */
  readonly values: Readonly<Record<string, readonly unknown[]>>;
  readonly version?: number;
  readonly shots?: number;
  /** Numbers of the samples; default: 0, 1, 2, … */
  readonly ids?: readonly number[];
  readonly docs?: (id: number) => object;
  readonly prompts?: (id: number) => string;
  /** Reported scores other than the means of the values; `null`: none at all. */
  readonly reported?: Readonly<Record<string, number>>;
  readonly generates?: boolean;
}

export interface HarnessRun {
  readonly tasks: readonly HarnessTask[];
  readonly model?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly higherIsBetter?: Readonly<Record<string, boolean>>;
  /** Lines to put in place of those of a task, by line from 0. */
  readonly time?: string;
}

const sha = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function stderrOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length * (values.length - 1)));
}

/** Writes `<folder>/<model>/results_<time>.json` and `samples_<task>_<time>.jsonl`. */
export function writeHarnessRun(folder: string, run: HarnessRun): void {
  const { tasks, model = 'org/model', time = '2026-11-28T02-32-30.325823' } = run;
  const place = path.join(folder, model.replace('/', '__'));
  mkdirSync(place, { recursive: true });
  for (const task of tasks) {
    const file = path.join(place, `samples_${task.name}_${time}.jsonl`);
    writeFileSync(
      file,
      linesOf(task)
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(''),
    );
  }
  writeFileSync(path.join(place, `results_${time}.json`), JSON.stringify(summaryOf(run, model)));
}

const keyed = (key: string): [metric: string, filter: string] => {
  const [metric = '', filter = 'none'] = key.split(',');
  return [metric, filter];
};

const sizeOf = ({ values }: HarnessTask): number => Object.values(values)[0]?.length ?? 0;

function linesOf(task: HarnessTask): object[] {
  const filters = [...new Set(Object.keys(task.values).map((key) => keyed(key)[1]))];
  return filters.flatMap((filter) => {
    const own = Object.entries(task.values).filter(([key]) => keyed(key)[1] === filter);
    return Array.from({ length: sizeOf(task) }, (_, at) => {
      const id = task.ids?.[at] ?? at;
      const doc = task.docs?.(id) ?? { question: `${task.name} ${id}` };
      const prompt = task.prompts?.(id) ?? `Question ${id}`;
      return {
        doc_id: id,
        doc,
        target: `target ${id}`,
        arguments: { gen_args_0: { arg_0: prompt } },
        resps: [[`answer of ${id}`]],
        filtered_resps: [`answer of ${id}`],
        filter,
        metrics: own.map(([key]) => keyed(key)[0]),
        doc_hash: sha(doc),
        prompt_hash: sha(prompt),
        target_hash: sha(`target ${id}`),
        ...Object.fromEntries(own.map(([key, values]) => [keyed(key)[0], values[at]])),
      };
    });
  });
}

function summaryOf({ tasks, config, higherIsBetter = {} }: HarnessRun, model: string): object {
  const scoresOf = (values: HarnessTask['values'], reported: HarnessTask['reported']) =>
    Object.fromEntries(
      Object.entries(values).flatMap(([key, own]) => {
        const [metric, filter] = keyed(key);
        const numbers = own.flat().map(Number);
        return [
          [`${metric},${filter}`, reported?.[key] ?? meanOf(numbers)],
          [`${metric}_stderr,${filter}`, stderrOf(numbers)],
        ];
      }),
    );
  const groups = [...new Set(tasks.flatMap(({ group }) => group ?? []))];
  const inGroup = (group: string): readonly HarnessTask[] => tasks.filter((task) => task.group === group);
  const groupScores = Object.fromEntries(
    groups.map((group) => {
      const keys = Object.keys(inGroup(group)[0]?.values ?? {});
      const joined = Object.fromEntries(
        keys.map((key) => [key, inGroup(group).flatMap(({ values }) => values[key] ?? [])]),
      );
      return [group, scoresOf(joined, undefined)];
    }),
  );
  const by = <T>(value: (task: HarnessTask) => T): Record<string, T> =>
    Object.fromEntries(tasks.map((task) => [task.name, value(task)]));
  return {
    results: { ...groupScores, ...by(({ values, reported }) => scoresOf(values, reported)) },
    ...(groups.length > 0 ? { groups: groupScores } : {}),
    group_subtasks: {
      ...Object.fromEntries(groups.map((group) => [group, inGroup(group).map(({ name }) => name)])),
      ...by(() => []),
    },
    configs: by(({ generates }) => ({ output_type: generates ? 'generate_until' : 'multiple_choice' })),
    versions: by(({ version = 1 }) => version),
    'n-shot': by(({ shots = 0 }) => shots),
    'n-samples': by((task) => ({ original: sizeOf(task), effective: sizeOf(task) })),
    higher_is_better: by(() => ({ acc: true, exact_match: true, ...higherIsBetter })),
    config: { model: 'local-completions', limit: null, gen_kwargs: { temperature: 0 }, ...config },
    model_name: model,
  };
}

/** Writes a task's result folder as evalsaga brings it home, and the run's record. */
export function writeRun(
  folder: string,
  { invocation = '3f2a9c0b1d2e4f56', ...run }: HarnessRun & { readonly invocation?: string },
): void {
  for (const [index, task] of run.tasks.entries()) {
    const place = path.join(folder, `${index}-${task.name}`);
    writeHarnessRun(place, { ...run, tasks: [task] });
    const stats = {
      count: 40,
      successful_count: 40,
      avg_prompt_tokens: 35.5,
      avg_completion_tokens: 2,
      avg_latency_ms: 260,
      inference_time: 11,
    };
    writeFileSync(path.join(place, 'eval_factory_metrics.json'), JSON.stringify({ response_stats: stats }));
  }
  writeFileSync(path.join(folder, 'run.json'), JSON.stringify(recordOf(folder, { invocation, ...run })));
}

function recordOf(
  folder: string,
  { invocation, tasks, model = 'org/model' }: HarnessRun & { invocation: string },
): object {
  const [from, until] = ['2026-11-28T02:31:41.000Z', '2026-11-28T02:32:34.000Z'];
  return {
    version: 1,
    invocation,
    outcome: 'succeeded',
    model,
    platform: { kind: 'local', workspace: 'local' },
    owner: 'someone',
    startedAt: from,
    endedAt: until,
    versions: { evalsaga: '0.1.0', node: 'v20.20.2' },
    command: 'evalsaga start run.yaml',
    policies: { startPolicy: 'all_ready', onTaskFailure: 'continue', maxParallelEndpoints: null },
    limits: { endpointReadySeconds: 1200, jobSeconds: 3600, teardownSeconds: 1800, runSeconds: null, resultBytes: 1 },
    cost: { currency: 'USD', limit: 25, spent: 3.42, perHour: 0 },
    tasks: tasks.map(({ name }, index) => ({
      index,
      name,
      phase: 'done',
      outcome: 'succeeded',
      endpoint: null,
      endpointUrl: null,
      job: null,
      message: null,
      startedAt: from,
      endedAt: until,
      metrics: {},
      outputDir: path.join('/another/machine', path.basename(folder), `${index}-${name}`),
      error: null,
      left: [],
      kept: [],
      usage: { endpoint: { from, until }, job: { from, until } },
    })),
    teardown: { left: [], kept: [] },
    config: 'deployment:\n  image: vllm/vllm-openai:v1\n',
  };
}

export interface NelBenchmark {
  readonly name: string;
  /** By problem and repeat. */
  readonly rewards: readonly (readonly number[])[];
  readonly categories?: readonly string[];
}

/** Writes `<folder>/<benchmark>/eval-….json` and `results.jsonl`. */
export function writeNelRun(folder: string, benchmarks: readonly NelBenchmark[], config: object = {}): void {
  for (const { name, rewards, categories } of benchmarks) {
    const place = path.join(folder, name);
    mkdirSync(place, { recursive: true });
    const results = rewards.flatMap((repeats, problem) =>
      repeats.map((reward, repeat) => ({
        problem_idx: problem,
        repeat,
        reward,
        prompt: `Question ${problem}`,
        model_response: `answer ${reward}`,
        expected_answer: `target ${problem}`,
        scoring_details: {},
        metadata: categories ? { category: categories[problem] } : {},
      })),
    );
    writeFileSync(path.join(place, 'results.jsonl'), results.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const mean = meanOf(rewards.map(meanOf));
    const bundle = {
      run_id: `eval-20261128T000000Z-${name}`,
      sdk_version: '0.3.0',
      config: { benchmark: name, model: 'org/model', ...config },
      benchmark: {
        name,
        samples: rewards.length,
        repeats: rewards[0]?.length ?? 1,
        scores: { mean_reward: { value: mean, ci_lower: mean - 0.02, ci_upper: mean + 0.02 } },
      },
    };
    writeFileSync(path.join(place, `${bundle.run_id}.json`), JSON.stringify(bundle));
  }
}

/** A random number generator for tests: the same seed gives the same numbers in 0…1. */
export function seeded(seed: number): () => number {
  let state = (seed * 2_654_435_761) % 2 ** 32;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
