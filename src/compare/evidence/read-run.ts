import { stat } from 'node:fs/promises';
import path from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { RunRecord } from '../../results/scores/run-record';
import { readRunRecord } from '../../results/scores/run-record';
import type { TaskRecord } from '../../results/scores/task-record';
import { UsageFault } from '../../support/usage-fault';
import type { Evidence, Setting } from './evidence';
import { settingOf } from './harness-settings';
import { readTask, type TaskFolder } from './read-task';

export interface RunFolder {
  readonly label: string;
  readonly folder: string;
  /** Only this task of the run. */
  readonly index?: number | undefined;
  /** Images of the evaluation jobs by task, if the run's plan is known. */
  readonly jobImages?: ReadonlyMap<number, string> | undefined;
}

/** Reads the result folder of a run that has ended. Throws `UsageFault` if there is no such task, `UnreadableFile` for a damaged record. */
export async function readRun({ label, folder, index, jobImages }: RunFolder): Promise<Evidence> {
  const record = await readRunRecord(folder);
  if (!record) throw new UsageFault(`${folder} has no run.json: the run has not ended, or its results are elsewhere.`);
  const tasks = record.tasks.filter((task) => index === undefined || task.index === index);
  if (tasks.length === 0) throw new UsageFault(`Run ${record.invocation} has no task ${index}.`);
  const endpointImage = endpointSettings(record.config);
  const evidence = [];
  for (const task of tasks) {
    const settings = [...endpointImage, ...settingOf('image', 'evaluation image', jobImages?.get(task.index), null)];
    evidence.push(await readTask({ ...(await placeOf(folder, task)), name: task.name, record: task, settings }));
  }
  return {
    label,
    kind: 'evalsaga',
    folder,
    model: record.model,
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

const configSchema = z.looseObject({ deployment: z.looseObject({ image: z.string().nullish() }) });

function endpointSettings(config: string | null): Setting[] {
  if (config === null) return [];
  try {
    const parsed = configSchema.safeParse(parseYaml(config, { logLevel: 'error' }));
    return settingOf('image', 'endpoint image', parsed.data?.deployment.image, null);
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
