import { stat } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { RunRecord } from '../../results/scores/run-record';
import { readRunRecord } from '../../results/scores/run-record';
import type { TaskRecord } from '../../results/scores/task-record';
import { UsageFault } from '../../support/usage-fault';
import type { Evidence, Setting } from './evidence';
import { nameInConfig } from '../../contract/task-name';
import { settingOf } from './harness-settings';
import { readTask, type TaskFolder } from './read-task';

export interface RunFolder {
  readonly label: string;
  readonly folder: string;
  /** Only this task of the run. */
  readonly index?: number | undefined;
  /** Only the tasks of this one of its models. */
  readonly model?: string | undefined;
  /** Images of the evaluation jobs by task, if the run's plan is known. */
  readonly jobImages?: ReadonlyMap<number, string> | undefined;
}

/** Reads the result folder of a run that has ended. Throws `UsageFault` if there is no such task, `UnreadableFile` for a damaged record. */
export async function readRun({ label, folder, index, model, jobImages }: RunFolder): Promise<Evidence> {
  const record = await readRunRecord(folder);
  if (!record) throw new UsageFault(`${folder} has no run.json: the run has not ended, or its results are elsewhere.`);
  const tasks = record.tasks.filter(
    (task) => (index === undefined || task.index === index) && (model === undefined || task.model === model),
  );
  if (tasks.length === 0) throw new UsageFault(`Run ${record.invocation} has no ${missing(record, { index, model })}.`);
  const models = [...new Set(tasks.map((task) => task.model))];
  const only = models.length === 1 ? models[0] : undefined;
  const evidence = [];
  for (const task of tasks) {
    const images = endpointSettings(record.config, task);
    const settings = [...images, ...settingOf('image', 'evaluation image', jobImages?.get(task.index), null)];
    // Tasks of one model have the names of those of another.
    const name = only === undefined ? task.name : nameInConfig(task.name);
    evidence.push(
      await readTask({ ...(await placeOf(folder, task)), name, recorded: { task, endedAt: record.endedAt }, settings }),
    );
  }
  return {
    label,
    kind: 'evalsaga',
    folder,
    model: only ?? record.model,
    invocation: record.invocation,
    tasks: evidence,
    usage: usageOf(record),
    notes: record.simulated ? ['the platform was simulated: these scores are made up'] : [],
  };
}

/** The folder may have been moved since: the record names it as it was on the machine of the run's worker. */
async function placeOf(folder: string, task: TaskRecord): Promise<Pick<TaskFolder, 'folder'>> {
  const name = path.basename((task.outputDir ?? '').replaceAll('\\', '/'));
  const here = path.join(folder, name === '' ? `${task.index}-${task.name}` : name);
  const isHere = await stat(here).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return { folder: isHere || task.outputDir === null ? here : task.outputDir };
}

function missing({ tasks }: RunRecord, { index, model }: Pick<RunFolder, 'index' | 'model'>): string {
  if (model === undefined) return `task ${index}`;
  const known = [...new Set(tasks.flatMap((task) => task.model ?? []))];
  return `model named ${model}; ${known.length === 0 ? 'it has one model' : `it has: ${known.join(', ')}`}`;
}

const deployed = z.looseObject({ deployment: z.looseObject({ image: z.string().nullish() }) });
const configSchema = z.looseObject({
  deployment: deployed.shape.deployment.optional(),
  models: z.record(z.string(), deployed.partial()).optional(),
});

/** What the run's config says of the endpoint's image; that of a single task may be another one. */
function endpointSettings(config: string | null, { model }: Pick<TaskRecord, 'model'>): Setting[] {
  if (config === null) return [];
  try {
    const { data } = configSchema.safeParse(parseYaml(config, { logLevel: 'error' }));
    const deployment = model === undefined ? data?.deployment : data?.models?.[model]?.deployment;
    return settingOf('image', 'endpoint image', deployment?.image, null);
  } catch {
    return [];
  }
}

function usageOf({ startedAt, endedAt, cost }: RunRecord): Evidence['usage'] {
  const seconds = Math.round((Date.parse(endedAt) - Date.parse(startedAt)) / 100) / 10;
  return {
    seconds: Number.isFinite(seconds) ? seconds : null,
    cost: cost === null ? null : { amount: cost.spent, currency: cost.currency },
  };
}
