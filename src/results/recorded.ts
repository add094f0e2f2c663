import path from 'node:path';
import type { RunPlan } from '../contract/plan';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import type { HomePaths } from '../home/paths';
import { readJsonFile } from '../home/private-file';
import { storedPlan } from '../home/run-store';

interface Recorded {
  readonly startedAt: string;
  readonly tasks: TaskSnapshot[];
  readonly teardown: Pick<RunSnapshot, 'left' | 'kept'>;
}

/** The last snapshot of a run that ended and whose `run.json` is on this host. */
export async function recordedSnapshot(home: HomePaths, invocation: string): Promise<RunSnapshot | undefined> {
  const plan = await storedPlan(home, invocation);
  if (!plan) return undefined;
  const record = await readRecord(plan);
  if (!record) return undefined;
  const { startedAt, tasks, teardown } = record;
  const { platform, model, budget = null } = plan;
  return { invocation, phase: 'done', platform: platform.kind, model, startedAt, tasks, budget, ...teardown };
}

/** What a run that ended by itself says it left or kept; `undefined`: it did not get to say. */
export async function recordedTeardown(
  plan: Pick<RunPlan, 'outputDir'>,
): Promise<Pick<RunSnapshot, 'left' | 'kept'> | undefined> {
  return (await readRecord(plan))?.teardown;
}

async function readRecord({ outputDir }: Pick<RunPlan, 'outputDir'>): Promise<Recorded | undefined> {
  return (await readJsonFile(path.join(outputDir, 'run.json')).catch(() => undefined)) as Recorded | undefined;
}
