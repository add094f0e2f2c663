import { partIndices } from '../contract/parts';
import { isDeepStrictEqual } from 'node:util';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from '@temporalio/client';
import { holdsFiles } from '../results/transfer/run-folder';
import { hasStorageApi } from '../results/transfer/task-storage';
import { hostSecretsOf } from '../contract/host-secrets';
import { invocationOf, runWorkflowType } from '../contract/identity';
import type { RunPlan } from '../contract/plan';
import { EncryptionKeyError } from '../temporal/encryption/key-error';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import type { HomePaths } from '../home/paths';
import { readJsonFile, writePrivateJson } from '../support/atomic-file';
import { isStoredHere } from '../home/run-store';
import type { LearnedSecrets } from '../secrets/learned-secrets';
import { secretsNamed } from '../secrets/secret-values';
import { planInHistory } from '../runs/run-input';
import { closedForMs } from './orphans';
import type { StorageSurroundings, StrandedStorage } from './orphan-storage';
import { ownerAmong } from './owners';
import { bringStorageHome, hasStorage, removeStorage } from './run-storage';

/**
 * Storage of terminated runs that other homes started; their plans are in Temporal's history. Results are fetched only into the
 * run's own output folder. If they can't be written there, the storage is kept and reported, for its own home or for `cleanup`.
 */

/** Runs that ended more than this many milliseconds ago are ignored. */
const lookedAtMs = 30 * 86_400_000;
/** Maximum number of runs considered in one sweep. */
const mostRuns = 500;

export type DistantStorage =
  /** Storage that this host can remove. `bringHome`: it holds files, and the run's output folder is on this host. */
  | { readonly kind: 'orphan'; readonly plan: RunPlan; readonly bringHome: boolean }
  | { readonly kind: 'stranded'; readonly storage: StrandedStorage };

export interface DistantSurroundings extends StorageSurroundings {
  readonly home: Pick<HomePaths, 'runs' | 'swept'>;
  /** This process's environment, with the values that runs refer to and that must be masked. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Receives a run's secrets before the platform is asked about it, since an answer may quote them. */
  readonly learned: LearnedSecrets;
}

/** Finds storage of terminated runs of other homes. Rejects if Temporal or the platform doesn't answer. */
export async function findDistantStorage(around: DistantSurroundings): Promise<DistantStorage[]> {
  const { temporal, platform, ref, signal } = around;
  // All runs of a local platform belong to its own home; without a storage API this host can't tell what is left.
  if (ref.kind === 'local' || !(await hasStorageApi(platform))) return [];
  const found: DistantStorage[] = [];
  for (const invocation of await terminatedRuns(temporal)) {
    signal?.throwIfAborted();
    const one = await look(invocation, around);
    if (one) found.push(one);
  }
  return found;
}

/** Returns candidates only: the listing lags, so each run is described before anything is decided. */
async function terminatedRuns(client: Client): Promise<string[]> {
  const since = new Date(Date.now() - lookedAtMs).toISOString();
  const query = `WorkflowType = '${runWorkflowType}' AND ExecutionStatus IN ('Terminated', 'TimedOut') AND CloseTime > '${since}'`;
  const found = new Set<string>();
  for await (const { workflowId } of toleratingUnreadable(client).list({ query, pageSize: 200 })) {
    const invocation = invocationOf(workflowId);
    if (invocation !== undefined) found.add(invocation);
    if (found.size >= mostRuns) break;
  }
  return [...found];
}

async function look(invocation: string, around: DistantSurroundings): Promise<DistantStorage | undefined> {
  const { temporal, platform, ref, home, rule, environment, learned } = around;
  if ((await isKnownGone(home, invocation)) || (await isStoredHere(home, invocation))) return undefined;
  const plan = await readablePlan(temporal, invocation);
  if (!plan || plan.keepStorage || !isDeepStrictEqual(plan.platform, ref)) return undefined;
  learned.add(secretsNamed(hostSecretsOf(plan), environment));
  const indices = partIndices(plan);
  const owner = await ownerAmong(temporal, invocation, indices);
  if (owner.kind !== 'closed' || closedForMs(owner, rule) <= rule.graceMs) return undefined;
  if (!(await hasStorage(platform, plan))) {
    await noteDistantGone(home, invocation);
    return undefined;
  }
  if (!(await holdsFiles(platform, plan.storage))) return { kind: 'orphan', plan, bringHome: false };
  const why = await whyNotHome(plan, around);
  if (why === undefined) return { kind: 'orphan', plan, bringHome: true };
  const command = `evalsaga cleanup ${invocation}`;
  return { kind: 'stranded', storage: { invocation, path: plan.storage.path, reason: why, command } };
}

/** Returns `undefined` also if the history can't be decrypted, since the storage folder is then unknown. */
async function readablePlan(client: Client, invocation: string): Promise<RunPlan | undefined> {
  try {
    return await planInHistory(client, invocation);
  } catch (error) {
    if (error instanceof EncryptionKeyError) return undefined;
    throw error;
  }
}

/**
 * Returns why results can't be fetched here. The output folder's name contains the run's id: if the folder exists, this host
 * started the run or shares a disk with the host that did.
 */
async function whyNotHome(plan: RunPlan, { environment }: DistantSurroundings): Promise<string | undefined> {
  const inStore = plan.resultsStore !== undefined;
  const isHere =
    inStore ||
    (await stat(plan.outputDir).then(
      (found) => found.isDirectory(),
      () => false,
    ));
  if (!isHere)
    return `its results belong to ${plan.outputDir} on the machine that the run was started on, whose own sweep brings them there`;
  const unknown = hostSecretsOf(plan).filter((name) => environment[name] === undefined);
  if (unknown.length > 0)
    return `the values of ${unknown.join(', ')}, to be masked in its results, are known only where the run was started`;
  return undefined;
}

/** Rejects without removing anything if not everything could be fetched. */
export async function removeDistantStorage(
  { plan, bringHome }: Extract<DistantStorage, { kind: 'orphan' }>,
  around: DistantSurroundings,
): Promise<void> {
  const { platform, home, rule, secretsOf, environment, signal, target } = around;
  const secrets = [...(await secretsOf(plan.invocation)), ...secretsNamed(hostSecretsOf(plan), environment)];
  const storage = { platform, plan, origin: rule.origin, secrets, signal, target };
  // A file may have appeared since the search.
  if (!bringHome && (await holdsFiles(platform, plan.storage)))
    throw new Error(`storage ${plan.storage.path} holds files now, although it was empty a moment ago: it is kept`);
  await removeStorage(storage, bringHome ? await bringStorageHome(storage) : undefined);
  await noteDistantGone(home, plan.invocation);
}

const goneFile = ({ swept }: Pick<HomePaths, 'swept'>, invocation: string): string =>
  path.join(swept, invocation, 'storage-gone.json');

const isKnownGone = async (home: Pick<HomePaths, 'swept'>, invocation: string): Promise<boolean> =>
  (await readJsonFile(goneFile(home, invocation))) !== undefined;

async function noteDistantGone(home: Pick<HomePaths, 'swept'>, invocation: string): Promise<void> {
  await writePrivateJson(goneFile(home, invocation), { at: new Date().toISOString() });
}
