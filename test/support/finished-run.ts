import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { readRunRecord, type RunRecord } from '../../src/results/scores/run-record';
import { meanOf, seeded, writeRun, type HarnessTask } from './harness-results';

/** The folder of a run that has ended: two tasks with samples, scores, statistics and logs. */

export const finishedInvocation = '3f2a9c0b1d2e4f56';

export interface FinishedRun {
  readonly folder: string;
  readonly record: RunRecord;
}

/** Writes it to `folder`. `seed`: of the answers. */
export async function writeFinishedRun(
  folder: string,
  { seed = 1, invocation = finishedInvocation, count = 60, chance = 0.5 } = {},
): Promise<FinishedRun> {
  const random = seeded(seed);
  const answers = (): number[] => Array.from({ length: count }, () => Number(random() < chance));
  const tasks = [
    { name: 'hellaswag', values: { acc: answers(), acc_norm: answers() } },
    { name: 'gsm8k', values: { 'exact_match,strict-match': answers() }, generates: true },
  ];
  mkdirSync(folder, { recursive: true });
  writeRun(folder, { tasks, invocation });
  for (const [index, task] of tasks.entries()) writeScores(path.join(folder, `${index}-${task.name}`), task);
  return finished(folder);
}

/** Writes the folder of a run that has evaluated two models, `base` and `tuned`, on hellaswag. */
export async function writeRunOfTwoModels(folder: string): Promise<FinishedRun> {
  const random = seeded(3);
  const models = ['base', 'tuned'];
  const tasks = models.map(() => {
    const answers = Array.from({ length: 20 }, () => Number(random() < 0.5));
    return { name: 'hellaswag', values: { acc: answers } };
  });
  mkdirSync(folder, { recursive: true });
  writeRun(folder, { tasks, model: models.join(', ') });
  for (const [index, task] of tasks.entries())
    writeScores(path.join(folder, `${index}-hellaswag`), task, models[index]);
  const file = path.join(folder, 'run.json');
  const record = JSON.parse(readFileSync(file, 'utf8')) as { tasks: { name: string; model?: string }[] };
  for (const [index, task] of record.tasks.entries())
    Object.assign(task, { name: `${models[index]}/${task.name}`, model: models[index] });
  writeFileSync(file, JSON.stringify(record));
  return finished(folder);
}

function writeScores(place: string, { name, values }: HarnessTask, model?: string): void {
  const metrics = Object.entries(values).map(([key, own]) => {
    const [metric = '', filter = ''] = key.split(',');
    const score = { value: meanOf(own.map(Number)), stats: { stderr: 0.05 } };
    return [metric, { scores: { [filter === '' ? metric : `${metric}__${filter}`]: score } }] as const;
  });
  writeFileSync(
    path.join(place, 'results.yml'),
    stringify({ results: { tasks: { [name]: { metrics: Object.fromEntries(metrics) } } } }),
  );
  const target = model === undefined ? {} : { target: { api_endpoint: { model_id: `org/${model}` } } };
  const runConfig = { framework_name: 'lm-evaluation-harness', config: { type: name }, ...target };
  writeFileSync(path.join(place, 'run_config.yml'), stringify(runConfig));
  mkdirSync(path.join(place, 'logs'), { recursive: true });
  writeFileSync(path.join(place, 'logs', 'job.log'), 'done\n');
}

async function finished(folder: string): Promise<FinishedRun> {
  const record = await readRunRecord(folder);
  if (!record) throw new Error(`no run.json in ${folder}`);
  return { folder, record };
}
