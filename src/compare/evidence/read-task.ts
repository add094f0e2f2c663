import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { Metric } from '../../contract/metric';
import { isInterrupted } from '../../results/scores/notes';
import { readScores } from '../../results/scores/read-scores';
import type { TaskRecord } from '../../results/scores/task-record';
import { messageOf } from '../../support/error-message';
import type { ScoreEvidence, Setting, TaskEvidence } from './evidence';
import { settingOf } from './harness-settings';
import { readHarness } from './read-harness';
import { taskUsage, type RecordedTask } from './task-usage';

/** A task's result folder, as evalsaga brings it home, with the run's record of the task. */
export interface TaskFolder {
  readonly folder: string;
  readonly name: string;
  readonly recorded: RecordedTask | undefined;
  /** From the run's config and plan. */
  readonly settings: readonly Setting[];
}

export async function readTask({ folder, name, recorded, settings }: TaskFolder): Promise<TaskEvidence> {
  const record = recorded?.task;
  const harness = await readHarness(folder);
  const summary = await readResultsFile(folder);
  const ownScores = record?.scores?.length ? record.scores : summary.metrics;
  const read = harness !== undefined && harness.scores.length > 0;
  return {
    name,
    index: record?.index ?? null,
    incomplete: await incompleteness(folder, record),
    scores: read ? harness.scores : scoresOf(ownScores),
    items: harness?.items ?? [],
    settings: [...settings, ...(read ? harness.settings : await configSettings(folder))],
    usage: await taskUsage(folder, recorded),
    notes: [...(harness?.notes ?? []), ...summary.notes, ...(await notFetched(folder))],
  };
}

async function readResultsFile(folder: string): Promise<{ metrics: readonly Metric[]; notes: readonly string[] }> {
  try {
    const scores = await readScores(folder);
    return scores ?? { metrics: [], notes: [] };
  } catch (error) {
    return { metrics: [], notes: [`results.yml can't be read: ${messageOf(error)}`] };
  }
}

/** Where the harness groups its tasks, only the outermost groups are scores as a whole. */
function scoresOf(metrics: readonly Metric[]): ScoreEvidence[] {
  const hasGroups = metrics.some(({ kind }) => kind === 'group');
  return metrics.map(({ path: place, metric, score, value, stderr, count, kind, name }) => ({
    path: place.length === 0 ? [name] : place,
    level: place.length <= 1 && (kind === 'group' || !hasGroups) ? 'overall' : 'part',
    metric: metric === score ? metric : `${metric}_${score}`,
    filter: null,
    value: typeof value === 'number' ? value : null,
    stderr: typeof stderr === 'number' ? stderr : null,
    count,
    better: null,
  }));
}

async function incompleteness(folder: string, record: TaskRecord | undefined): Promise<string | null> {
  if (record?.partial || (await isInterrupted(folder))) return 'its job was interrupted';
  if (record?.outcome === 'failed') return `the task failed: ${record.error?.message ?? 'see its logs'}`;
  if (record?.outcome === null) return 'the task had not ended';
  return record?.outcome === 'cancelled' ? 'the task was cancelled' : null;
}

const manifestSchema = z.looseObject({ left: z.array(z.looseObject({ path: z.string() })) });

async function notFetched(folder: string): Promise<string[]> {
  const left = manifestSchema.safeParse(await readJson(path.join(folder, 'manifest.json'))).data?.left ?? [];
  const [first] = left;
  return first ? [`${left.length} of its files did not come home, such as ${first.path}`] : [];
}

const runConfigSchema = z.looseObject({
  config: z.looseObject({ params: z.record(z.string(), z.unknown()).catch({}) }),
  target: z.looseObject({ api_endpoint: z.record(z.string(), z.unknown()).catch({}) }).optional(),
});

/** For harnesses whose own files are not read: what their job was told to do. */
async function configSettings(folder: string): Promise<Setting[]> {
  const found = runConfigSchema.safeParse(await readYaml(path.join(folder, 'run_config.yml'))).data;
  if (!found) return [];
  const { params } = found.config;
  const extra = (params['extra'] ?? {}) as Readonly<Record<string, unknown>>;
  return [
    ...settingOf('few-shot', 'examples', extra['num_fewshot'], null),
    ...settingOf('limit', 'samples', params['limit_samples'] ?? 'all', null),
    ...settingOf('generation', 'temperature', params['temperature'], null),
    ...settingOf('generation', 'top_p', params['top_p'], null),
    ...settingOf('generation', 'max_gen_toks', params['max_new_tokens'], null),
    ...settingOf('generation', 'repeats', extra['n_samples'], null),
    ...settingOf('endpoint-type', 'endpoint type', found.target?.api_endpoint['type'], null),
    ...settingOf('model', 'name', found.target?.api_endpoint['model_id'], null),
  ];
}

/** Bytes; larger files are not what they seem. */
const maxFileBytes = 8 * 1024 * 1024;

async function readSmall(file: string): Promise<string | undefined> {
  try {
    return (await stat(file)).size > maxFileBytes ? undefined : await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse((await readSmall(file)) ?? 'null') as unknown;
  } catch {
    return undefined;
  }
}

async function readYaml(file: string): Promise<unknown> {
  try {
    return parseYaml((await readSmall(file)) ?? '', { logLevel: 'error' }) as unknown;
  } catch {
    return undefined;
  }
}
