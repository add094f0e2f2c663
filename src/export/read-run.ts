import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { metricsOf, type Metric } from '../contract/metric';
import type { TaskSnapshot } from '../contract/state';
import type { RunRecord } from '../results/scores/run-record';
import { readScores } from '../results/scores/read-scores';
import { recordedSummary, recordedTask, type TaskRecord } from '../results/scores/task-record';
import { readSummaries, taskCosts, type TaskSummary } from '../results/summary/task-summary';
import { mapConcurrently } from '../support/map-concurrently';
import { namedScores, type ExportedRun, type ExportedTask, type RepeatedNames } from './exported-run';

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
  const all = await mapConcurrently(record.tasks, concurrency, async (of): Promise<ReadTask> => {
    const task = recordedTask(of);
    const own = folderOf(task) ?? null;
    const evaluation = await evaluationIn(own, { name: withoutModel(task), model: record.model });
    return { of, task, folder: own, evaluation, scores: await scoresOf(task, own) };
  });
  const meant = all.filter(({ task }) => includes(task));
  const missing = meant.filter(({ of }) => of.summary === undefined).map(({ task }) => task);
  const read = await readSummaries({ tasks: missing, folderOf, withinMs: readingMs });
  const tasks = meant
    .filter(({ scores }) => scores.length > 0)
    .map((one) => exportedTask(one, { record, summary: recordedSummary(one.of) ?? read.get(one.task.index) }));
  return { ...runFields(record), folder, files, tasks, repeated: repeatedIn(all) };
}

/** A task of the record with what its folder says. */
interface ReadTask {
  readonly of: TaskRecord;
  readonly task: TaskSnapshot;
  /** Absolute; `null`: it is not here. */
  readonly folder: string | null;
  readonly evaluation: Pick<ExportedTask, 'harness' | 'benchmark' | 'model'>;
  readonly scores: readonly Metric[];
}

const repeatedIn = (all: readonly ReadTask[]): RepeatedNames => ({
  benchmarks: repeatedOf(all.map(({ evaluation }) => evaluation.benchmark)),
  scores: repeatedOf(all.flatMap((task) => Object.keys(namedScores(task, { log_metrics: [] })))),
});

const repeatedOf = (names: readonly string[]): ReadonlySet<string> => {
  const seen = new Set<string>();
  return new Set(names.filter((name) => seen.size === seen.add(name).size));
};

function runFields(record: RunRecord): Omit<ExportedRun, 'folder' | 'files' | 'tasks' | 'repeated'> {
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
}

function exportedTask(
  { of, task, folder, evaluation, scores }: ReadTask,
  { record, summary }: TaskAround,
): ExportedTask {
  const { index, name, outcome, startedAt, endedAt } = task;
  return {
    ...{ key: `${record.invocation}.${index}`, index, name, outcome, startedAt, endedAt, folder, scores },
    ...evaluation,
    image: of.image ?? null,
    isPartial: task.partial === true,
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
): Promise<ReadTask['evaluation']> {
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
