import path from 'node:path';
import type { RunPlan } from '../../contract/plan';
import type { RunSnapshot } from '../../contract/state';
import type { HomePaths } from '../../home/paths';
import { readJsonFile } from '../../support/atomic-file';
import { recordedTask, type TaskRecord } from './task-record';

interface Recorded {
  readonly startedAt: string;
  readonly tasks: readonly TaskRecord[];
  readonly teardown: Pick<RunSnapshot, 'left' | 'kept'>;
}

/** The last snapshot of a run that ended and whose `run.json` is on this host. */
export async function recordedSnapshot(plan: RunPlan, home: HomePaths): Promise<RunSnapshot | undefined> {
  const record = await readRecord(plan, home);
  if (!record) return undefined;
  const { startedAt, tasks, teardown } = record;
  const { invocation, platform, simulated, model, budget = null } = plan;
  const where = { platform: platform.kind, ...(simulated ? { simulated } : {}) };
  return { invocation, phase: 'done', ...where, model, startedAt, tasks: tasks.map(recordedTask), budget, ...teardown };
}

/** What a run that ended by itself says it left or kept; `undefined`: it did not get to say. */
export async function recordedTeardown(
  plan: Pick<RunPlan, 'outputDir' | 'invocation'>,
  home: Pick<HomePaths, 'runs'>,
): Promise<Pick<RunSnapshot, 'left' | 'kept'> | undefined> {
  return (await readRecord(plan, home))?.teardown;
}

/** Beside the results; where these could not be written, in the home. */
async function readRecord(
  { outputDir, invocation }: Pick<RunPlan, 'outputDir' | 'invocation'>,
  { runs }: Pick<HomePaths, 'runs'>,
): Promise<Recorded | undefined> {
  for (const folder of [outputDir, path.join(runs, invocation)]) {
    const record = await readJsonFile(path.join(folder, 'run.json')).catch(() => undefined);
    if (record !== undefined) return record as Recorded;
  }
  return undefined;
}
