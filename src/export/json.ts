import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, UnreadableFile, writeJson } from '../support/atomic-file';
import type { FileSettings } from '../contract/export';
import { withLock } from '../support/lock';
import {
  factsOf,
  measurementsOf,
  namedScores,
  scoreNames,
  selectedScores,
  type ExportedRun,
  type ExportedTask,
} from './exported-run';
import { ExportFault, type Exporter } from './exporter';

/**
 * One JSON file, which may hold many runs: `benchmarks.<benchmark>.models.<model>[]`, in the form of NeMo Evaluator Launcher with
 * more in it. An entry that is there is updated.
 */
export const exportJson: Exporter<FileSettings> = async (run, settings, { outputDir }) => {
  const file = path.join(outputDir, settings.output_filename ?? 'processed_results.json');
  await withLock({ file: `${file}.lock` }, async () => {
    const before = await readBefore(file);
    await writeJson(file, withRun(before, { run, settings }));
  });
  return { tasks: run.tasks.length, skipped: 0, where: file, notes: [] };
};

const entrySchema = z.looseObject({ job_id: z.string().optional() });
/** What an entry has of scores, whoever wrote it. */
const scoresSchema = z.object({
  scores: z.record(z.string(), z.unknown()).catch({}),
  metrics: z.array(z.looseObject({ name: z.string() })).catch([]),
});
const fileSchema = z.looseObject({
  benchmarks: z.record(z.string(), z.looseObject({ models: z.record(z.string(), z.array(entrySchema)) })),
});

type Entry = z.infer<typeof entrySchema>;
type Content = z.infer<typeof fileSchema>;

async function readBefore(file: string): Promise<Content> {
  const found = await readJsonFile(file).catch((error: unknown) => {
    if (error instanceof UnreadableFile) return null;
    throw error;
  });
  if (found === undefined) return { benchmarks: {} };
  const parsed = fileSchema.safeParse(found);
  if (!parsed.success)
    throw new ExportFault(`${file} holds something else than exported results: move it away`, 'settings');
  return parsed.data;
}

/** Pure. */
export function withRun(
  before: Content,
  { run, settings }: { readonly run: ExportedRun; readonly settings: FileSettings },
): Content & { readonly export_timestamp: string } {
  const benchmarks = { ...before.benchmarks };
  for (const task of run.tasks) {
    const models = { ...benchmarks[task.benchmark]?.models };
    const there = models[task.model] ?? [];
    const others = there.filter(({ job_id: key }) => key !== task.key);
    const earlier = there.find(({ job_id: key }) => key === task.key);
    models[task.model] = [...others, updated(earlier, { entry: entryOf(run, task, settings), task, settings })];
    benchmarks[task.benchmark] = { ...benchmarks[task.benchmark], models };
  }
  // Not the time of the export: a second one writes the same file.
  return { ...before, benchmarks, export_timestamp: run.endedAt };
}

interface Update {
  readonly entry: ReturnType<typeof entryOf>;
  readonly task: ExportedTask;
  readonly settings: FileSettings;
}

/** What others have added to an entry stays in it, and scores that this export does not select. */
function updated(earlier: Entry | undefined, { entry, task, settings }: Update): Entry {
  if (!earlier) return entry;
  const before = scoresSchema.parse(earlier);
  const selected = new Set(scoreNames(task, settings));
  const scores = Object.entries(before.scores).filter(([name]) => !selected.has(name));
  const metrics = before.metrics.filter(({ name }) => !selected.has(name));
  return {
    ...entry,
    // For the order of keys: a second export writes the same.
    ...earlier,
    ...entry,
    scores: { ...Object.fromEntries(scores), ...entry.scores },
    metrics: [...metrics, ...entry.metrics],
  };
}

function entryOf(run: ExportedRun, task: ExportedTask, settings: FileSettings) {
  return {
    invocation_id: run.invocation,
    job_id: task.key,
    harness: task.harness,
    container: task.image,
    scores: namedScores(task, settings),
    timestamp: Date.parse(task.endedAt ?? run.endedAt) / 1000,
    executor: run.platform,
    results_dir: task.folder,
    facts: { ...factsOf(run, task), tags: run.tags },
    measurements: measurementsOf(task),
    metrics: selectedScores(task.scores, settings.log_metrics),
    findings: task.findings,
    run: {
      command: run.command,
      cost: run.cost,
      useful_share: run.usefulShare,
      outcome: run.outcome,
      config: run.config,
    },
  };
}
