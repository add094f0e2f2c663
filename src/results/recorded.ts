import path from 'node:path';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import type { HomePaths } from '../home/paths';
import { readJsonFile } from '../home/private-file';
import { storedPlan } from '../home/run-store';

/** The last snapshot of a run that ended and whose `run.json` is on this host. */
export async function recordedSnapshot(home: HomePaths, invocation: string): Promise<RunSnapshot | undefined> {
  const plan = await storedPlan(home, invocation);
  if (!plan) return undefined;
  const record = (await readJsonFile(path.join(plan.outputDir, 'run.json')).catch(() => undefined)) as
    { startedAt: string; tasks: TaskSnapshot[]; teardown: Pick<RunSnapshot, 'left' | 'kept'> } | undefined;
  if (!record) return undefined;
  const { startedAt, tasks, teardown } = record;
  return { invocation, phase: 'done', platform: plan.platform.kind, model: plan.model, startedAt, tasks, ...teardown };
}
