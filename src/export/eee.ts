import { createHash } from 'node:crypto';
import path from 'node:path';
import type { FileSettings } from '../contract/export';
import { intervalOf } from '../contract/interval';
import type { Metric } from '../contract/metric';
import { readSamples, type Sample } from '../results/samples/read-samples';
import { harnessFiles, type HarnessFile } from '../results/samples/sample-files';
import { streamAtomically, writeJson, type FileContent } from '../support/atomic-file';
import { factsOf, measurementsOf, selectedScores, type ExportedRun, type ExportedTask } from './exported-run';
import type { Exporter } from './exporter';
import { answerOf, extractedOf, promptOf, textOf } from './sample-texts';

/**
 * Records of every_eval_ever, schema 0.3.0: `<output_dir>/data/<benchmark>/<developer>/<model>/<uuid>.json`, one per task, with
 * `<uuid>_samples.jsonl` beside it. Its `validate` accepts them.
 */
export const exportEee: Exporter<FileSettings> = async (run, settings, { outputDir, signal, progress }) => {
  for (const task of run.tasks) {
    signal.throwIfAborted();
    progress(`task ${task.index} ${task.name}`);
    await writeTask(run, { task, settings, outputDir });
  }
  return { tasks: run.tasks.length, skipped: 0, where: path.join(outputDir, 'data'), notes: [] };
};

const schemaVersion = '0.3.0';

interface TaskParts {
  readonly task: ExportedTask;
  readonly settings: FileSettings;
  readonly outputDir: string;
}

async function writeTask(run: ExportedRun, { task, settings, outputDir }: TaskParts): Promise<void> {
  const { id } = modelOf(run, task);
  const at = ['data', safe(task.benchmark), ...id.split('/').map(safe)];
  const uuid = uuidOf(task.key);
  const samplesName = `${uuid}_samples.jsonl`;
  const number = run.repeated.benchmarks.has(task.benchmark) ? `-${task.index}` : '';
  const evaluationId = `${task.benchmark}/${id}/${epochOf(run.endedAt)}${number}`;
  const written = await writeSamples(task, { evaluationId, model: id, file: path.join(outputDir, ...at, samplesName) });
  const details = written && {
    format: 'jsonl',
    file_path: [...at, samplesName].join('/'),
    hash_algorithm: 'sha256',
    checksum: written.sha256,
    total_rows: written.rows,
  };
  await writeJson(path.join(outputDir, ...at, `${uuid}.json`), {
    schema_version: schemaVersion,
    evaluation_id: evaluationId,
    evaluation_timestamp: epochOf(task.endedAt ?? run.endedAt),
    // That of the run's end, so that a second export writes the same.
    retrieved_timestamp: epochOf(run.endedAt),
    source_metadata: {
      source_name: 'evalsaga',
      source_type: 'evaluation_run',
      source_organization_name: run.owner,
      evaluator_relationship: 'other',
      additional_details: { ...factsOf(run, task), ...textsOf(measurementsOf(task)) },
    },
    eval_library: { name: task.harness ?? 'unknown', version: 'unknown', additional_details: { ...task.versions } },
    model_info: modelOf(run, task),
    evaluation_results: selectedScores(task.scores, settings.log_metrics).flatMap((score) =>
      resultOf(run, task, score),
    ),
    ...(details ? { detailed_evaluation_results: details } : {}),
  });
}

/** A path's parts: the names that every_eval_ever allows. */
const safe = (text: string): string => text.replace(/[^A-Za-z0-9._-]/g, '_');

const epochOf = (time: string): string => String(Date.parse(time) / 1000);

/** Returns a UUID (version 4 by form) that is the same for the same task. */
export function uuidOf(key: string): string {
  const digest = createHash('sha256').update(`evalsaga ${key}`).digest('hex');
  const variant = '89ab'[Number.parseInt(digest.charAt(16), 16) % 4] ?? '8';
  const hex = `${digest.slice(0, 12)}4${digest.slice(13, 16)}${variant}${digest.slice(17, 32)}`;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function modelOf({ platform }: ExportedRun, { model }: ExportedTask) {
  const id = model.includes('/') ? model : `unknown/${model}`;
  const [developer = 'unknown'] = id.split('/');
  const details = { deployment_type: 'self_deployed', model_availability: 'unknown', platform };
  return { name: model, id, developer, additional_details: details };
}

const lowerIsBetter = /perplexity|(^|_)(bits_per_byte|brier|error|loss|wer|ter|mse|mae)(_|$)/;

function resultOf(run: ExportedRun, task: ExportedTask, score: Metric): object[] {
  const { value, stderr, count, path: groups, name, metric } = score;
  if (typeof value !== 'number') return [];
  const interval = intervalOf(score);
  const bounds = interval && { lower: interval.low, upper: interval.high, confidence_level: 0.95, method: 'normal' };
  return [
    {
      evaluation_result_id: name,
      evaluation_name: groups.at(-1) ?? task.benchmark,
      source_data: {
        dataset_name: task.benchmark,
        source_type: 'other',
        additional_details: { ...task.versions },
      },
      evaluation_timestamp: epochOf(task.endedAt ?? run.endedAt),
      metric_config: {
        metric_id: metric,
        metric_name: name,
        lower_is_better: lowerIsBetter.test(metric),
        additional_details: { kind: score.kind, groups: groups.join('/'), score: score.score },
      },
      score_details: {
        score: value,
        uncertainty: {
          ...(typeof stderr === 'number' ? { standard_error: { value: stderr } } : {}),
          ...(bounds ? { confidence_interval: bounds } : {}),
          ...(count === null ? {} : { num_samples: count }),
        },
      },
    },
  ];
}

interface SamplesParts {
  readonly evaluationId: string;
  readonly model: string;
  readonly file: string;
}

/** Writes a row for each sample and each number that was measured on it; `undefined` if there are no samples. */
async function writeSamples(
  task: ExportedTask,
  parts: SamplesParts,
): Promise<(FileContent & { readonly rows: number }) | undefined> {
  const found = task.folder === null ? [] : (await harnessFiles(task.folder)).samples;
  if (found.length === 0) return undefined;
  let rows = 0;
  async function* lines(): AsyncGenerator<Uint8Array> {
    for (const source of found)
      for await (const sample of readSamples(source.file)) {
        if (sample.kind === 'damaged') continue;
        for (const row of rowsOf(sample, { task, source, parts })) {
          rows += 1;
          yield Buffer.from(`${JSON.stringify(row)}\n`);
        }
      }
  }
  const content = await streamAtomically(parts.file, (save) => save(lines()));
  return { ...content, rows };
}

interface RowParts {
  readonly task: ExportedTask;
  readonly source: HarnessFile;
  readonly parts: SamplesParts;
}

function rowsOf(sample: Sample, { task, source, parts }: RowParts): object[] {
  const { content, filter } = sample;
  const input = promptOf(content) ?? textOf(content['doc']);
  const reference = textOf(content['target']);
  const answer = answerOf(content);
  return Object.entries(sample.metrics).flatMap(([metric, value]) => {
    const number = typeof value === 'boolean' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isFinite(number)) return [];
    const result = resultIdOf(task, { part: source.task, metric, filter });
    return [
      {
        schema_version: schemaVersion,
        evaluation_id: parts.evaluationId,
        model_id: parts.model,
        evaluation_name: source.task,
        ...(result === undefined ? {} : { evaluation_result_id: result }),
        sample_id: sample.docId ?? sample.docHash ?? String(sample.line),
        sample_hash: createHash('sha256')
          .update(JSON.stringify({ raw: input, reference }))
          .digest('hex'),
        interaction_type: 'single_turn',
        input: { raw: input, reference: [reference] },
        output: { raw: [answer] },
        answer_attribution: [
          {
            turn_idx: 0,
            source: 'output.raw',
            extracted_value: extractedOf(content),
            extraction_method: filter,
            is_terminal: true,
          },
        ],
        evaluation: { score: number, is_correct: number === 1 },
        metadata: textsOf({ doc_hash: sample.docHash, prompt_hash: sample.promptHash, metric, filter }),
      },
    ];
  });
}

/** Returns the id of the score that a sample counts towards; `undefined`: none is certain. */
function resultIdOf(
  { scores }: ExportedTask,
  { part, metric, filter }: { readonly part: string; readonly metric: string; readonly filter: string },
): string | undefined {
  const names = filter === 'none' ? [metric] : [`${metric}__${filter}`, metric];
  const own = scores.filter(({ path: at, kind }) => kind === 'task' && at.at(-1) === part);
  const found = own.find(({ metric: name, score }) =>
    names.some((candidate) => candidate === name || candidate === score),
  );
  return found?.name;
}

const textsOf = (values: Readonly<Record<string, string | number | null>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])),
  );
