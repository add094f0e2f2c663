import path from 'node:path';
import { fetchFolder, hasStorageApi, removeFolder, type StorageContext } from '../results/transfer/task-storage';
import type { RunPlan, TaskPlan } from '../contract/plan';
import { paceOf } from '../lepton/pace';
import type { LeptonClient } from '../lepton/types';
import type { FetchedFolder } from '../results/transfer/fetch';
import { boundsOfCleanup } from '../results/transfer/remote-tree';

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

/** Brings home what the run's folder holds. Rejects when not all of it is home then. */
export async function bringStorageHome(request: RunStorageRequest): Promise<void> {
  const { platform, plan } = request;
  const left: string[] = [];
  const absent: string[] = [];
  for (const task of plan.tasks) {
    const fetched = await bringHome(request, task);
    if (fetched?.incomplete) left.push(fetched.incomplete);
    if (!fetched) absent.push(task.folder);
  }
  if (await hasStorageApi(platform)) {
    // All of it is about to go: what lies beside the tasks' folders, and a folder that was not there a moment ago.
    const entries = (await platform.storage.list(plan.storage.fileSystem, plan.storage.path)) ?? [];
    const isHome = new Set(plan.tasks.map(({ folder }) => folder).filter((folder) => !absent.includes(folder)));
    left.push(
      ...notHome(
        plan.storage.path,
        entries.filter(({ name }) => !isHome.has(name)),
      ),
    );
  }
  if (left.length > 0) throw new Error(left.join('; '));
}

/** Entries of a run's folder that stay there: the first few by name. Pure. */
export function notHome(folder: string, entries: readonly { readonly name: string }[]): string[] {
  if (entries.length === 0) return [];
  const names = entries.slice(0, 3).map(({ name }) => name.slice(0, 100));
  const more = entries.length > names.length ? ` and ${entries.length - names.length} more` : '';
  return [`storage ${folder} holds ${names.join(', ')}${more}, which has not come home`];
}

/** Removes the run's folder. The user's own data is never ours to remove: only what carries the run's id is. */
export async function removeStorage(request: RunStorageRequest): Promise<void> {
  const { storage, invocation, tasks } = request.plan;
  if (!carriesId(storage.path, invocation)) {
    throw new Error(`storage ${storage.path} does not carry the run's id and is left alone`);
  }
  const [first] = tasks;
  if (!first) return;
  const job = { name: first.jobName, spec: first.job };
  const isGone = await removeFolder(
    { ...ownerOf(request.plan, first), storage, folder: null, job },
    contextOf(request, first),
  );
  if (!isGone) throw new Error(`storage ${storage.path} was told to go, but is still there`);
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
