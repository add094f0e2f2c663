import path from 'node:path';
import type { RunPlan } from '../../contract/plan';
import type { RunSnapshot } from '../../contract/state';
import type { HomePaths } from '../../home/paths';
import { storedPlan } from '../../home/run-store';
import { UnreadableFile } from '../../support/atomic-file';
import { readRunRecord, type RunRecord } from './run-record';
import { recordedTask } from './task-record';

/** `unreadable`: damaged, or written by a newer version. */
export type FoundRecord =
  | { readonly kind: 'found'; readonly record: RunRecord }
  | { readonly kind: 'none' }
  /** `reason` names the file and says what to do. */
  | { readonly kind: 'unreadable'; readonly reason: string };

type Place = Pick<RunPlan, 'outputDir' | 'invocation'>;

/** Looks for a run's record: beside its results or, in case it couldn't be written there, in the home. */
export async function findRecord(
  { outputDir, invocation }: Place,
  { runs }: Pick<HomePaths, 'runs'>,
): Promise<FoundRecord> {
  let unreadable: FoundRecord | undefined;
  for (const folder of [outputDir, path.join(runs, invocation)]) {
    try {
      const record = await readRunRecord(folder);
      if (record !== undefined) return { kind: 'found', record };
    } catch (error) {
      // A folder that can't be read (a file in its place, no permission) counts as one without a record.
      if (error instanceof UnreadableFile) unreadable ??= { kind: 'unreadable', reason: error.message };
    }
  }
  return unreadable ?? { kind: 'none' };
}

/** Returns the last snapshot of a run that ended; `undefined` if this host has no readable record of it. */
export async function recordedSnapshot(plan: RunPlan, home: Pick<HomePaths, 'runs'>): Promise<RunSnapshot | undefined> {
  const found = await findRecord(plan, home);
  return found.kind === 'found' ? snapshotIn(plan, found.record) : undefined;
}

/** Returns the last snapshot of the run, as its record has it. Pure. */
export function snapshotIn(plan: RunPlan, record: RunRecord): RunSnapshot {
  const { startedAt, tasks, shared, teardown, exports } = record;
  const { invocation, platform, simulated, model, name, tags, budget = null } = plan;
  const labels = { ...(name === undefined ? {} : { name }), ...(tags === undefined ? {} : { tags }) };
  const retried = plan.retryOf === undefined ? {} : { retryOf: plan.retryOf };
  const where = { platform: platform.kind, ...(simulated ? { simulated } : {}), ...retried };
  const all = { tasks: tasks.map(recordedTask), ...(shared === undefined ? {} : { shared: shared.map(recordedTask) }) };
  return {
    invocation,
    phase: 'done',
    ...where,
    model,
    ...labels,
    startedAt,
    ...all,
    budget,
    ...teardown,
    ...(exports ? { exports } : {}),
  };
}

/**
 * Returns what a run that ended by itself left or kept; `undefined` if it wrote no record, or one that can't be read. Then only
 * Temporal can tell.
 */
export async function recordedTeardown(
  plan: Place,
  home: Pick<HomePaths, 'runs'>,
): Promise<Pick<RunSnapshot, 'left' | 'kept'> | undefined> {
  const found = await findRecord(plan, home);
  return found.kind === 'found' ? found.record.teardown : undefined;
}

/** Returns why this host's files about a run can't be read; their content is then shown as other sources know it. */
export async function unreadableFiles(home: Pick<HomePaths, 'runs'>, invocation: string): Promise<string[]> {
  try {
    const plan = await storedPlan(home, invocation);
    const found = plan && (await findRecord(plan, home));
    return found?.kind === 'unreadable' ? [found.reason] : [];
  } catch (error) {
    if (error instanceof UnreadableFile) return [error.message];
    throw error;
  }
}
