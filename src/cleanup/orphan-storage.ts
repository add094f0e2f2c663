import type { Client } from '@temporalio/client';
import { isDeepStrictEqual } from 'node:util';
import type { PlatformRef } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { noteStorageGone, openRuns, type StoredRun } from '../home/run-store';
import type { LeptonClient } from '../lepton/types';
import { recordedTeardown } from '../results/scores/recorded';
import { forgottenGraceMs, type OwnerState, type SweepRule } from './orphans';
import { ownerAmong } from './owners';
import { bringStorageHome, hasStorage, removeStorage } from './run-storage';

/** Storage of a run of this host that ended without clearing it: it was terminated, or Temporal lost it. */
export interface OrphanStorage {
  readonly run: StoredRun;
}

export interface StorageSurroundings {
  readonly temporal: Client;
  readonly platform: LeptonClient;
  readonly ref: PlatformRef;
  readonly home: Pick<HomePaths, 'runs'>;
  readonly rule: SweepRule;
  /** Values of a run that must not come home in the clear. */
  readonly secretsOf: (invocation: string) => Promise<readonly string[]>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks through the runs that this host knows. One that ended by itself has accounted for its storage in `run.json`: what
 * it kept, it kept on purpose. Rejects when Temporal or the platform can't be asked.
 */
export async function findOrphanStorage(around: StorageSurroundings): Promise<OrphanStorage[]> {
  const { temporal, platform, ref, home, rule, signal } = around;
  const found: OrphanStorage[] = [];
  for (const run of await openRuns(home)) {
    signal?.throwIfAborted();
    const { plan } = run;
    if (!isDeepStrictEqual(plan.platform, ref) || plan.keepStorage) continue;
    const teardown = await recordedTeardown(plan, home);
    if (teardown && !teardown.left.some(({ kind }) => kind === 'storage')) {
      if (teardown.kept.length === 0) await noteStorageGone(home, plan.invocation);
      continue;
    }
    const indices = plan.tasks.map(({ index }) => index);
    if (!outlived(run, await ownerAmong(temporal, plan.invocation, indices), rule)) continue;
    if (await hasStorage(platform, plan)) found.push({ run });
    else await noteStorageGone(home, plan.invocation);
  }
  return found;
}

/** Brings home what is there, then removes it. Rejects, having removed nothing, when not all came home. */
export async function removeOrphanStorage(
  { run: { plan } }: OrphanStorage,
  { platform, home, rule, secretsOf, signal }: StorageSurroundings,
): Promise<void> {
  const secrets = await secretsOf(plan.invocation);
  const storage = { platform, plan, origin: rule.origin, secrets, signal };
  await removeStorage(storage, await bringStorageHome(storage));
  await noteStorageGone(home, plan.invocation);
}

/** Whether nobody is left who would clear the run's storage. Pure. */
export function outlived(run: Pick<StoredRun, 'storedAt' | 'origin'>, owner: OwnerState, rule: SweepRule): boolean {
  switch (owner.kind) {
    case 'live':
      return false;
    case 'closed':
      return rule.now.temporal - owner.closedAt > rule.graceMs;
    case 'unknown':
      return run.origin !== undefined && rule.now.host - run.storedAt > forgottenGraceMs(run.origin, rule);
  }
}
