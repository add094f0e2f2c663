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
import type { StorageSurroundings, StrandedStorage } from './orphan-storage';
import { ownerAmong } from './owners';
import { bringStorageHome, hasStorage, removeStorage } from './run-storage';

/**
 * Storage of terminated runs that other homes started: their plans are in Temporal's history. Results go where the run's
 * home has them, never to a strange disk: what can't go there stays, named, for its home or for `cleanup`.
 */

/** How long after its end a run is still looked at. */
const lookedAtMs = 30 * 86_400_000;
/** Runs looked at in one sweep. */
const mostRuns = 500;

export type DistantStorage =
  /** It can be cleared from here. `bringHome`: the run's output folder is on this host as well. */
  | { readonly kind: 'orphan'; readonly plan: RunPlan; readonly bringHome: boolean }
  | { readonly kind: 'stranded'; readonly storage: StrandedStorage };

export interface DistantSurroundings extends StorageSurroundings {
  readonly home: Pick<HomePaths, 'runs' | 'swept'>;
  /** Of this process: values of variables that a run refers to, which have to be masked. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told what a run refers to before the platform is asked about it: an answer may quote it. */
  readonly learned: LearnedSecrets;
}

/** Rejects when Temporal or the platform can't be asked. */
export async function findDistantStorage(around: DistantSurroundings): Promise<DistantStorage[]> {
  const { temporal, platform, ref, signal } = around;
  // A local platform's runs are all its own home's; without a storage API nobody can tell from here what is left.
  if (ref.kind === 'local' || !(await hasStorageApi(platform))) return [];
  const found: DistantStorage[] = [];
  for (const invocation of await terminatedRuns(temporal)) {
    signal?.throwIfAborted();
    const one = await look(invocation, around);
    if (one) found.push(one);
  }
  return found;
}

/** Only candidates: the listing lags, so each one is asked about before anything is decided. */
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
  const indices = plan.tasks.map(({ index }) => index);
  const owner = await ownerAmong(temporal, invocation, indices);
  if (owner.kind !== 'closed' || rule.now.temporal - owner.closedAt <= rule.graceMs) return undefined;
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

/** Without its key nobody can tell where its storage is. */
async function readablePlan(client: Client, invocation: string): Promise<RunPlan | undefined> {
  try {
    return await planInHistory(client, invocation);
  } catch (error) {
    if (error instanceof EncryptionKeyError) return undefined;
    throw error;
  }
}

/** The folder carries the run's id: where it is, there is the run's home, or a disk that both share. */
async function whyNotHome(plan: RunPlan, { environment }: DistantSurroundings): Promise<string | undefined> {
  const isHere = await stat(plan.outputDir).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isHere)
    return `its results belong to ${plan.outputDir} on the machine that the run was started on, whose own sweep brings them there`;
  const unknown = hostSecretsOf(plan).filter((name) => environment[name] === undefined);
  if (unknown.length > 0)
    return `the values of ${unknown.join(', ')}, to be masked in its results, are known only where the run was started`;
  return undefined;
}

/** Rejects, having removed nothing, when not all came home. */
export async function removeDistantStorage(
  { plan, bringHome }: Extract<DistantStorage, { kind: 'orphan' }>,
  around: DistantSurroundings,
): Promise<void> {
  const { platform, home, rule, secretsOf, environment, signal } = around;
  const secrets = [...(await secretsOf(plan.invocation)), ...secretsNamed(hostSecretsOf(plan), environment)];
  const storage = { platform, plan, origin: rule.origin, secrets, signal };
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
