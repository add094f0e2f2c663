import { partIndices } from '../contract/parts';
import type { Client } from '@temporalio/client';
import { isDeepStrictEqual } from 'node:util';
import type { PlatformRef, RunPlan } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { noteStorageGone, openRuns, unreadableRuns, type StoredRun, type UnreadableRun } from '../home/run-store';
import type { LeptonClient } from '../lepton/types';
import { findRecord } from '../results/scores/recorded';
import type { TargetSurroundings } from '../results/store/target';
import { planInHistory } from '../runs/run-input';
import { mapConcurrently } from '../support/map-concurrently';
import { closedForMs, forgottenGraceMs, type OwnerState, type SweepRule } from './orphans';
import { ownerAmong } from './owners';
import { bringStorageHome, hasStorage, removeStorage } from './run-storage';

/** Storage of a run of this host that ended without removing it: the run was terminated, or Temporal lost it. */
export interface OrphanStorage {
  readonly run: StoredRun;
}

/** Storage that is kept, and why. */
export interface StrandedStorage {
  readonly invocation: string;
  readonly path: string;
  readonly reason: string;
  readonly command: string;
}

export interface StorageSurroundings {
  readonly temporal: Client;
  readonly platform: LeptonClient;
  readonly ref: PlatformRef;
  readonly home: Pick<HomePaths, 'runs'>;
  readonly rule: SweepRule;
  /** Returns the values to mask in a run's files. */
  readonly secretsOf: (invocation: string) => Promise<readonly string[]>;
  readonly signal?: AbortSignal | undefined;
  /** As in `RunStorageRequest`. */
  readonly target?: TargetSurroundings | undefined;
  /** Runs that have jobs, which may create storage yet: no sign of it proves nothing. Default: none. */
  readonly withJobs?: ReadonlySet<string> | undefined;
  /** The runs to check. Default: all. */
  readonly only?: ReadonlySet<string> | undefined;
}

export interface FoundOrphans {
  readonly orphans: readonly OrphanStorage[];
  readonly stranded: readonly StrandedStorage[];
}

/**
 * Checks the runs that this host knows. A run that ended by itself has recorded its remaining storage in `run.json`: what it
 * kept, it kept on purpose. Rejects if Temporal or the platform doesn't answer.
 */
export async function findOrphanStorage(around: StorageSurroundings): Promise<FoundOrphans> {
  const { temporal, ref, home, signal, only } = around;
  const orphans: OrphanStorage[] = [];
  const stranded: StrandedStorage[] = [];
  const unreadable = await mapConcurrently(await unreadableRuns(home), asked, (run) => fromHistory(temporal, run));
  for (const run of [
    ...(await openRuns(home)),
    ...unreadable.flatMap(({ plan, ...rest }) => (plan ? [{ ...rest, plan }] : [])),
  ]) {
    signal?.throwIfAborted();
    if (only && !only.has(run.plan.invocation)) continue;
    if (!isDeepStrictEqual(run.plan.platform, ref) || run.plan.keepStorage) continue;
    const found = await judge(run, around);
    if (found === 'orphan') orphans.push({ run });
    else if (found !== 'none') stranded.push(found);
  }
  for (const { plan, invocation, file, reason } of unreadable)
    if (!plan) stranded.push({ invocation, path: file, reason, command: `evalsaga cleanup ${invocation}` });
  return { orphans, stranded };
}

/** Concurrent requests to Temporal. */
const asked = 4;

/** Reads the plan from Temporal, for a run whose own file can't be read. */
async function fromHistory(
  temporal: Client,
  run: UnreadableRun,
): Promise<UnreadableRun & { plan: RunPlan | undefined }> {
  return { ...run, plan: await planInHistory(temporal, run.invocation).catch(() => undefined) };
}

async function judge(run: StoredRun, around: StorageSurroundings): Promise<'orphan' | 'none' | StrandedStorage> {
  const { temporal, platform, home, rule, withJobs } = around;
  const { plan } = run;
  const { invocation, storage } = plan;
  const record = await findRecord(plan, home);
  if (record.kind === 'found') {
    const { left, kept } = record.record.teardown;
    if (!left.some(({ kind }) => kind === 'storage')) {
      if (kept.length === 0) await noteStorageGone(home, invocation);
      return 'none';
    }
  }
  const owner = await ownerAmong(temporal, invocation, partIndices(plan));
  if (!outlived(run, owner, rule)) return 'none';
  if (!(await hasStorage(platform, plan))) {
    if (!withJobs?.has(invocation)) await noteStorageGone(home, invocation);
    return 'none';
  }
  // The record may say that storage was kept on purpose.
  if (record.kind === 'unreadable')
    return { invocation, path: storage.path, reason: record.reason, command: `evalsaga cleanup ${invocation}` };
  return 'orphan';
}

/** Fetches the content, then removes it. Rejects without removing anything if not everything could be fetched. */
export async function removeOrphanStorage(
  { run: { plan } }: OrphanStorage,
  { platform, home, rule, secretsOf, signal, target }: StorageSurroundings,
): Promise<void> {
  const secrets = await secretsOf(plan.invocation);
  const storage = { platform, plan, origin: rule.origin, secrets, signal, target };
  await removeStorage(storage, await bringStorageHome(storage));
  await noteStorageGone(home, plan.invocation);
}

/** Whether no workflow is left that would remove the run's storage. Pure. */
export function outlived(run: Pick<StoredRun, 'storedAt' | 'origin'>, owner: OwnerState, rule: SweepRule): boolean {
  switch (owner.kind) {
    case 'live':
      return false;
    case 'closed':
      return closedForMs(owner, rule) > rule.graceMs;
    case 'unknown':
      return run.origin !== undefined && rule.now.host - run.storedAt > forgottenGraceMs(run.origin, rule);
  }
}
