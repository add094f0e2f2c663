import path from 'node:path';
import { fetchFolder, hasStorageApi, removeFolder, type StorageContext } from '../results/transfer/task-storage';
import type { RunPlan, TaskPlan } from '../contract/plan';
import { paceOf } from '../lepton/pace';
import type { LeptonClient } from '../lepton/types';
import type { FetchedFolder } from '../results/transfer/fetch';
import { boundsOfCleanup } from '../results/transfer/remote-tree';
import { notHomeText, unexpectedEntries } from '../results/transfer/run-folder';

/** What a run left in workspace storage, dealt with from outside of its workflows. */

export interface RunStorageRequest {
  readonly platform: LeptonClient;
  readonly plan: RunPlan;
  /** Written into the helper jobs that stand in for a missing storage API. */
  readonly origin: string;
  /** Masked in what comes home. */
  readonly secrets: readonly string[];
  /** Told what came home. */
  readonly report?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** A person asked for it, and can wait: whatever its size, depth and number. Default: as much as a run waits for. */
  readonly unbounded?: boolean | undefined;
}

/** Whether there may be something: where no storage API can tell, a run that had a job is taken to have storage. */
export async function hasStorage(platform: LeptonClient, { storage }: RunPlan): Promise<boolean> {
  if (!(await hasStorageApi(platform))) return true;
  return platform.storage.exists(storage.fileSystem, storage.path);
}

/**
 * Brings home what the run's folder holds; returns the names of the tasks' folders that it found. Rejects when not all of it is
 * home then. Without a storage API only the removal sees what lies beside them, and refuses.
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
    const others = await unexpectedEntries(platform, plan.storage, home);
    if (others.length > 0) left.push(notHomeText(plan.storage.path, others));
  }
  if (left.length > 0) throw new Error(left.join('; '));
  return home;
}

/**
 * Removes the run's folder. The user's own data is never ours to remove: only what carries the run's id is. `expected`: what came
 * home; if there are other files, rejects with `NotHome`, having removed nothing. Default: all of it goes.
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
  const target = path.join(plan.outputDir, task.folder);
  const { storage, limits } = plan;
  const fetched = await fetchFolder(
    {
      ...ownerOf(plan, task),
      storage,
      job: { name: task.jobName, spec: task.job },
      folder: task.folder,
      target,
      maxBytes: request.unbounded ? Number.MAX_SAFE_INTEGER : limits.resultBytes,
      ...(plan.skipResults ? { skip: plan.skipResults } : {}),
    },
    contextOf(request, task),
  );
  if (fetched) report?.(`${fetched.files} files of ${task.folder} are in ${target}`);
  return fetched;
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
