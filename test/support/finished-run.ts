import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { readRunRecord, type RunRecord } from '../../src/results/scores/run-record';
import { meanOf, seeded, writeRun } from './harness-results';

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
  for (const [index, task] of tasks.entries()) {
    const place = path.join(folder, `${index}-${task.name}`);
    const metrics = Object.entries(task.values).map(([key, values]) => {
      const [metric = '', filter = ''] = key.split(',');
      const name = filter === '' ? metric : `${metric}__${filter}`;
      const score = { value: meanOf(values), stats: { stderr: 0.05 } };
      return [metric, { scores: { [name]: score } }] as const;
    });
    writeFileSync(
      path.join(place, 'results.yml'),
      stringify({ results: { tasks: { [task.name]: { metrics: Object.fromEntries(metrics) } } } }),
    );
    const runConfig = { framework_name: 'lm-evaluation-harness', config: { type: task.name } };
    writeFileSync(path.join(place, 'run_config.yml'), stringify(runConfig));
    mkdirSync(path.join(place, 'logs'), { recursive: true });
    writeFileSync(path.join(place, 'logs', 'job.log'), 'done\n');
  }
  const record = await readRunRecord(folder);
  if (!record) throw new Error(`no run.json in ${folder}`);
  return { folder, record };
}
