import { tmpdir } from 'node:os';
import path from 'node:path';
import { fetchFolder, hasStorageApi, removeFolder, type StorageContext } from '../results/transfer/task-storage';
import type { RunPlan, TaskPlan } from '../contract/plan';
import { resultsPlaceOf } from '../contract/results-place';
import { withTarget, type TargetSurroundings } from '../results/store/target';
import { paceOf } from '../lepton/pace';
import type { LeptonClient } from '../lepton/types';
import type { FetchedFolder } from '../results/transfer/fetch';
import { boundsOfCleanup } from '../results/transfer/remote-tree';
import { notHomeText, unexpectedEntries } from '../results/transfer/run-folder';

/** Fetches and removes what a run left in workspace storage, outside of its workflows. */

export interface RunStorageRequest {
  readonly platform: LeptonClient;
  readonly plan: RunPlan;
  /** Written into helper jobs that replace a missing storage API. */
  readonly origin: string;
  /** Masked in what is fetched. */
  readonly secrets: readonly string[];
  /** For results that belong into a store. Default: a temporary folder, and this process's environment. */
  readonly target?: TargetSurroundings | undefined;
  /** Receives a line per fetched folder. */
  readonly report?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Fetches content of any size and depth, since a user asked for it and can wait. Default: the limits of a run. */
  readonly unbounded?: boolean | undefined;
}

/** Whether the run may have storage. Without a storage API, it is assumed to have some. */
export async function hasStorage(platform: LeptonClient, { storage }: RunPlan): Promise<boolean> {
  if (!(await hasStorageApi(platform))) return true;
  return platform.storage.exists(storage.fileSystem, storage.path);
}

/**
 * Fetches the content of the run's folder; returns the names of the task folders that it found. Rejects if anything could not be
 * fetched. Without a storage API, only the removal finds other files, and then refuses.
 */
export async function bringStorageHome(request: RunStorageRequest): Promise<readonly string[]> {
  const { platform, plan } = request;
  const left: string[] = [];
  const home: string[] = [];
  for (const task of plan.tasks) {
    const fetched = await bringHome(request, task);
    if (fetched?.incomplete) left.push(fetched.incomplete);
    if (fetched) home.push(task.folder);
  }
  if (await hasStorageApi(platform)) {
    const others = (await unexpectedEntries(platform, plan.storage, home)) ?? [];
    if (others.length > 0) left.push(notHomeText(plan.storage.path, others));
  }
  if (left.length > 0) throw new Error(left.join('; '));
  return home;
}

/**
 * Removes the run's folder, if its path contains the run's id: the user's own data must never be removed. `expected`: the names that
 * were fetched; if there are other files, rejects with `NotHome` without removing anything. Default: removes everything.
 */
export async function removeStorage(request: RunStorageRequest, expected?: readonly string[]): Promise<void> {
  const { storage, invocation, tasks } = request.plan;
  if (!carriesId(storage.path, invocation)) {
    throw new Error(`storage ${storage.path} does not carry the run's id and is left alone`);
  }
  const [first] = tasks;
  if (!first) return;
  const job = { name: first.jobName, spec: first.job };
  const isGone = await removeFolder(
    { ...ownerOf(request.plan, first), storage, folder: null, job, ...(expected ? { expected } : {}) },
    contextOf(request, first),
  );
  if (!isGone) throw new Error(`storage ${storage.path} was deleted, but is still listed`);
}

/** Pure. */
export const carriesId = (folder: string, invocation: string): boolean => folder.split('/').includes(invocation);

async function bringHome(request: RunStorageRequest, task: TaskPlan): Promise<FetchedFolder | undefined> {
  const { plan, report } = request;
  const { storage, limits } = plan;
  const around = request.target ?? { staging: path.join(tmpdir(), 'evalsaga-staging'), env: process.env };
  return withTarget(`${resultsPlaceOf(plan)}/${task.folder}`, around, async (target) => {
    const context = contextOf(request, task);
    const openJournal = () => target.openJournal(context.signal);
    const fetched = await fetchFolder(
      {
        ...ownerOf(plan, task),
        storage,
        job: { name: task.jobName, spec: task.job },
        folder: task.folder,
        target: target.folder,
        maxBytes: request.unbounded ? Number.MAX_SAFE_INTEGER : limits.resultBytes,
        ...(plan.skipResults ? { skip: plan.skipResults } : {}),
      },
      { ...context, openJournal },
    );
    await target.complete(context.signal);
    if (fetched) report?.(`${fetched.files} files of ${task.folder} are in ${target.place}`);
    return fetched;
  });
}

const ownerOf = ({ platform, invocation }: RunPlan, { index }: TaskPlan) => ({ platform, invocation, index });

function contextOf(
  { platform, plan, origin, secrets, signal, unbounded }: RunStorageRequest,
  { index }: TaskPlan,
): StorageContext {
  return {
    platform: { client: platform, pace: paceOf(platform.access.url) },
    marks: { invocation: plan.invocation, index, origin },
    secrets,
    signal: signal ?? new AbortController().signal,
    onProgress: () => undefined,
    bounds: unbounded ? boundsOfCleanup : undefined,
  };
}
