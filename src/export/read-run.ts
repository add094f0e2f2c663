import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { metricsOf, type Metric } from '../contract/metric';
import type { TaskSnapshot } from '../contract/state';
import type { RunRecord } from '../results/scores/run-record';
import { readScores } from '../results/scores/read-scores';
import { recordedSummary, recordedTask } from '../results/scores/task-record';
import { readSummaries, taskCosts, type TaskSummary } from '../results/summary/task-summary';
import { mapConcurrently } from '../support/map-concurrently';
import type { ExportedRun, ExportedTask } from './exported-run';

export interface RunSource {
  readonly record: RunRecord;
  /** The run's own folder on this machine, absolute. */
  readonly folder: string;
  /** Which tasks are meant; default: all. */
  readonly includes?: (task: TaskSnapshot) => boolean;
  readonly files: ExportedRun['files'];
}

/** Folders read at once. */
const concurrency = 8;
/** Milliseconds for what the record doesn't hold. */
const readingMs = 60_000;

/** Returns what is exported of a run: its tasks with scores, from its record and, where that lacks something, from its folder. */
export async function exportedRun({ record, folder, includes = () => true, files }: RunSource): Promise<ExportedRun> {
  const names = await readdir(folder).catch(() => []);
  const folderOf = ({ index }: Pick<TaskSnapshot, 'index'>): string | undefined => {
    const name = names.find((candidate) => candidate.startsWith(`${index}-`));
    return name === undefined ? undefined : path.join(folder, name);
  };
  const meant = record.tasks
    .map((task) => ({ task: recordedTask(task), of: task }))
    .filter(({ task }) => includes(task));
  const missing = meant.filter(({ of }) => of.summary === undefined).map(({ task }) => task);
  const read = await readSummaries({ tasks: missing, folderOf, withinMs: readingMs });
  const tasks = await mapConcurrently(meant, concurrency, async ({ task, of }) =>
    exportedTask(task, {
      record,
      summary: recordedSummary(of) ?? read.get(task.index),
      image: of.image ?? null,
      folder: folderOf(task) ?? null,
    }),
  );
  return { ...runFields(record), folder, files, tasks: tasks.filter(({ scores }) => scores.length > 0) };
}

function runFields(record: RunRecord): Omit<ExportedRun, 'folder' | 'files' | 'tasks'> {
  const { invocation, model, outcome, platform, owner, startedAt, endedAt, command, cost, config } = record;
  return {
    ...{ invocation, model, outcome, owner, startedAt, endedAt, command, config },
    name: record.name ?? null,
    tags: record.tags ?? {},
    platform: record.simulated ? 'simulated' : platform.kind,
    version: record.versions.evalsaga,
    cost: cost && { spent: cost.spent, currency: cost.currency },
    usefulShare: record.usefulShare ?? null,
  };
}

interface TaskAround {
  readonly record: RunRecord;
  readonly summary: TaskSummary | undefined;
  readonly image: string | null;
  readonly folder: string | null;
}

async function exportedTask(task: TaskSnapshot, around: TaskAround): Promise<ExportedTask> {
  const { record, summary, image, folder } = around;
  const { index, name, outcome, startedAt, endedAt } = task;
  return {
    ...{ key: `${record.invocation}.${index}`, index, name, outcome, startedAt, endedAt, image, folder },
    ...(await evaluationIn(folder, { name: withoutModel(task), model: record.model })),
    isPartial: task.partial === true,
    scores: await scoresOf(task, folder),
    samples: summary?.samples ?? null,
    requests: summary?.requests ?? null,
    latencyMs: summary?.latencyMs ?? null,
    costs: taskCosts(task, { summary, budget: record.budget, nowMs: Date.parse(record.endedAt) }),
    versions: summary?.versions ?? {},
    findings: summary?.findings ?? [],
  };
}

/** Scores that came home after the run had ended are only in the task's folder. */
async function scoresOf(task: TaskSnapshot, folder: string | null): Promise<readonly Metric[]> {
  const recorded = metricsOf(task);
  if (recorded.length > 0 || folder === null) return recorded;
  return (await readScores(folder).catch(() => undefined))?.metrics ?? [];
}

const runConfig = z.looseObject({
  framework_name: z.string().nullish(),
  config: z.looseObject({ type: z.string().nullish() }).nullish(),
  target: z
    .looseObject({ api_endpoint: z.looseObject({ model_id: z.string().nullish() }).nullish() })
    .nullish()
    .catch(null),
});

const withoutModel = ({ name, model }: TaskSnapshot): string =>
  model !== undefined && name.startsWith(`${model}/`) ? name.slice(model.length + 1) : name;

/** Returns what was evaluated: as the evaluator wrote it, else as the record has it. */
async function evaluationIn(
  folder: string | null,
  { name, model }: Pick<ExportedTask, 'name' | 'model'>,
): Promise<Pick<ExportedTask, 'harness' | 'benchmark' | 'model'>> {
  const [, prefix = null, rest = name] = /^([^.]+)\.(.+)$/.exec(name) ?? [];
  const text = folder === null ? '' : await readFile(path.join(folder, 'run_config.yml'), 'utf8').catch(() => '');
  const written = runConfig.safeParse(parsed(text)).data;
  return {
    harness: written?.framework_name ?? prefix,
    benchmark: written?.config?.type ?? rest,
    model: written?.target?.api_endpoint?.model_id ?? model,
  };
}

function parsed(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    return undefined;
  }
}
