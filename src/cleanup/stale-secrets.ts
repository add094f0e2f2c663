import { partIndices } from '../contract/parts';
import type { Client } from '@temporalio/client';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { RunPlan } from '../contract/plan';
import { hasStorageToFetch } from '../contract/state';
import type { HomePaths } from '../home/paths';
import { forgetSecrets, isStorageGone, storedPlan } from '../home/run-store';
import { UnreadableFile } from '../support/atomic-file';
import { recordedTeardown } from '../results/scores/recorded';
import { describeRun, terminated } from '../runs/describe';
import { ownerAmong } from './owners';

/**
 * A run's last activity deletes the stored values of its host variables. A terminated run has no last activity, and while its
 * storage exists the values are needed to mask what is fetched from it. The file is deleted here once neither the run nor any of
 * its tasks is open and its storage is accounted for.
 */

/** Milliseconds after which a file is deleted even if storage was never cleaned up or another Temporal server owns the run. */
const longestMs = 30 * 86_400_000;

/** Deletes secrets that no run needs any more; returns the ids of their runs. Rejects if Temporal doesn't answer. */
export async function forgetStaleSecrets(client: Client, home: HomePaths): Promise<string[]> {
  const names = await readdir(home.secrets).catch(() => []);
  const forgotten: string[] = [];
  for (const name of names) {
    const invocation = /^([0-9a-f]{16})\.json$/.exec(name)?.[1];
    if (invocation === undefined || !(await isStale(client, home, invocation))) continue;
    await forgetSecrets(home, invocation);
    forgotten.push(invocation);
  }
  return forgotten;
}

async function isStale(client: Client, home: HomePaths, invocation: string): Promise<boolean> {
  const stored = await planOf(home, invocation);
  const plan = stored === 'unreadable' ? undefined : stored;
  const indices = plan === undefined ? [0] : partIndices(plan);
  const { kind } = await ownerAmong(client, invocation, indices);
  if (kind === 'live') return false;
  const isOver = kind === 'closed' && stored !== 'unreadable';
  if (isOver && (!plan || (await isAccountedFor(client, home, plan)))) return true;
  const { mtimeMs } = await stat(path.join(home.secrets, `${invocation}.json`));
  return Date.now() - mtimeMs > longestMs;
}

const planOf = (home: HomePaths, invocation: string): Promise<RunPlan | 'unreadable' | undefined> =>
  storedPlan(home, invocation).catch((error: unknown) => {
    if (error instanceof UnreadableFile) return 'unreadable';
    throw error;
  });

/** Whether nothing of the run remains to be fetched, according to its record or its result. */
async function isAccountedFor(client: Client, home: HomePaths, plan: RunPlan): Promise<boolean> {
  if (await isStorageGone(home, plan.invocation)) return true;
  const recorded = await recordedTeardown(plan, home);
  if (recorded) return !hasStorageToFetch(recorded);
  // The record may be on another host, or could not be written.
  const { status, failure, snapshot } = await describeRun(client, plan.invocation, home);
  return status !== 'running' && failure?.type !== terminated && !hasStorageToFetch(snapshot);
}
