import { createHash } from 'node:crypto';
import path from 'node:path';
import type { FileSettings } from '../contract/export';
import { intervalOf } from '../contract/interval';
import { harnessFiles } from '../results/samples/sample-files';
import { readSamples, type Sample } from '../results/samples/read-samples';
import { streamAtomically, writeJson } from '../support/atomic-file';
import { measurementsOf, selectedScores, type ExportedRun, type ExportedTask } from './exported-run';
import type { Exporter } from './exporter';
import { answerOf, promptOf, textOf } from './sample-texts';

/**
 * Bundles of NVIDIA's `nel` 0.3: `<output_dir>/<invocation>/<index>-<task>/eval-<invocation>-<index>.json` with a `results.jsonl` of
 * samples beside it. `nel compare`, `gate` and `report` read them.
 */
export const exportNel: Exporter<FileSettings> = async (run, settings, { outputDir, signal, progress }) => {
  const root = path.join(outputDir, run.invocation);
  const notes: string[] = [];
  for (const task of run.tasks) {
    signal.throwIfAborted();
    progress(`task ${task.index} ${task.name}`);
    const folder = path.join(root, folderNameOf(task));
    const samples = await writeSamples(task, path.join(folder, 'results.jsonl'));
    if (samples.count === 0)
      notes.push(`task ${task.index} ${task.name}: no samples, so that nel compares its scores only`);
    await writeJson(path.join(folder, `${bundleId(run, task)}.json`), bundleOf(run, { task, settings, samples }));
  }
  return { tasks: run.tasks.length, skipped: 0, where: root, notes };
};

const folderNameOf = ({ index, name }: ExportedTask): string => `${index}-${safe(name)}`;

const safe = (text: string): string => text.replace(/[^a-zA-Z0-9_.-]/g, '_');

const bundleId = ({ invocation }: ExportedRun, { index }: ExportedTask): string => `eval-${invocation}-${index}`;

interface WrittenSamples {
  readonly count: number;
  /** `null`: there are none. */
  readonly meanReward: number | null;
  /** The metric that is the reward; `null` likewise. */
  readonly metric: string | null;
  readonly categories: Readonly<Record<string, { readonly mean_reward: number; readonly n: number }>>;
}

/** Writes one line per sample: its first metric, of its first filter, is the reward. */
async function writeSamples(task: ExportedTask, file: string): Promise<WrittenSamples> {
  const found = task.folder === null ? [] : (await harnessFiles(task.folder)).samples;
  const sums = new Map<string, { total: number; n: number }>();
  let metric: string | null = null;
  async function* lines(): AsyncGenerator<Uint8Array> {
    for (const { file: source, task: part } of found) {
      let filter: string | undefined;
      for await (const sample of readSamples(source)) {
        if (sample.kind === 'damaged') continue;
        filter ??= sample.filter;
        const reward = rewardOf(sample);
        if (sample.filter !== filter || reward === undefined) continue;
        metric ??= reward.metric;
        const sum = sums.get(part) ?? { total: 0, n: 0 };
        sums.set(part, { total: sum.total + reward.value, n: sum.n + 1 });
        yield Buffer.from(`${JSON.stringify(lineOf(sample, { part, reward, isOnly: found.length === 1 }))}\n`);
      }
    }
  }
  await streamAtomically(file, (save) => save(lines()));
  const all = [...sums.values()];
  const count = all.reduce((total, { n }) => total + n, 0);
  return {
    count,
    metric,
    meanReward: count === 0 ? null : all.reduce((total, one) => total + one.total, 0) / count,
    categories:
      sums.size < 2
        ? {}
        : Object.fromEntries([...sums].map(([part, { total, n }]) => [part, { mean_reward: total / n, n }])),
  };
}

interface Reward {
  readonly metric: string;
  readonly value: number;
}

function rewardOf({ metrics }: Sample): Reward | undefined {
  for (const [metric, value] of Object.entries(metrics)) {
    const number = typeof value === 'boolean' ? Number(value) : value;
    if (typeof number === 'number' && Number.isFinite(number)) return { metric, value: number };
  }
  return undefined;
}

function lineOf(sample: Sample, { part, reward, isOnly }: { part: string; reward: Reward; isOnly: boolean }): object {
  const { content, metrics } = sample;
  return {
    problem_idx: problemOf(sample, part, isOnly),
    repeat: 0,
    reward: reward.value,
    prompt: promptOf(content) ?? null,
    expected_answer: textOf(content['target']),
    model_response: answerOf(content),
    scoring_details: { ...numbersOf(metrics), filter: sample.filter, doc_hash: sample.docHash },
    metadata: { ...(isOnly ? {} : { category: part }), doc_id: sample.docId, prompt_hash: sample.promptHash },
  };
}

/** The sample's number; of several parts a number that is the same in other runs of the same samples. */
function problemOf({ docId, docHash, line }: Sample, part: string, isOnly: boolean): number {
  const own = Number(docId ?? NaN);
  if (isOnly && Number.isSafeInteger(own)) return own;
  const digest = createHash('sha256')
    .update(`${part}\n${docId ?? docHash ?? line}`)
    .digest('hex');
  return Number.parseInt(digest.slice(0, 13), 16);
}

const numbersOf = (metrics: Readonly<Record<string, unknown>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );

interface BundleParts {
  readonly task: ExportedTask;
  readonly settings: FileSettings;
  readonly samples: WrittenSamples;
}

/** Pure. */
function bundleOf(run: ExportedRun, { task, settings, samples }: BundleParts): object {
  const measured = measurementsOf(task);
  const config = {
    benchmark: task.benchmark,
    model: task.model,
    repeats: 1,
    ...(task.samples?.asked === null || task.samples === null ? {} : { max_problems: task.samples.asked }),
  };
  return {
    run_id: bundleId(run, task),
    config_hash: `sha256:${createHash('sha256').update(JSON.stringify(config)).digest('hex')}`,
    sdk_version: `evalsaga ${run.version}`,
    timestamp: task.endedAt ?? run.endedAt,
    config: {
      ...config,
      framework: task.harness,
      container: task.image,
      task_versions: task.versions,
      invocation_id: run.invocation,
      job_id: task.key,
      reward_metric: samples.metric,
    },
    benchmark: {
      name: task.benchmark,
      samples: samples.count > 0 ? samples.count : (measured['samples_done'] ?? 0),
      repeats: 1,
      scores: { ...scoresOf(task, settings, samples), runtime: runtimeOf(measured) },
      ...(Object.keys(samples.categories).length > 0 ? { categories: samples.categories } : {}),
    },
    n_results: samples.count,
    findings: task.findings,
  };
}

function scoresOf(task: ExportedTask, settings: FileSettings, { meanReward }: WrittenSamples): Record<string, object> {
  const named = selectedScores(task.scores, settings.log_metrics).flatMap((score) => {
    if (typeof score.value !== 'number') return [];
    const interval = intervalOf(score);
    const bounds = interval ? { ci_lower: interval.low, ci_upper: interval.high } : {};
    return [[score.name, { value: score.value, ...bounds, stderr: score.stderr, n: score.count }] as const];
  });
  return { ...(meanReward === null ? {} : { mean_reward: { value: meanReward } }), ...Object.fromEntries(named) };
}

function runtimeOf(measured: Readonly<Record<string, number>>): object {
  const {
    prompt_tokens: prompt = 0,
    completion_tokens: completion = 0,
    requests: steps,
    request_seconds: seconds,
  } = measured;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(steps === undefined ? {} : { total_steps: steps }),
    ...(seconds === undefined ? {} : { elapsed_seconds: seconds }),
  };
}
