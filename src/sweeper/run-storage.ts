import path from 'node:path';
import { fetchFolder, hasStorageApi, removeFolder, type StorageContext } from '../activities/task-storage';
import type { RunPlan, TaskPlan } from '../contract/plan';
import { paceOf } from '../lepton/platforms';
import type { LeptonClient } from '../lepton/types';

/** What a run left in workspace storage, dealt with from outside of its workflows. */

export interface RunStorageRequest {
  readonly platform: LeptonClient;
  readonly plan: RunPlan;
  /** Written into the helper jobs that stand in for a missing storage API. */
  readonly origin: string;
  /** Nothing is brought home first. */
  readonly discard: boolean;
  /** Told what came home. */
  readonly report?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Whether there may be something: where no storage API can tell, a run that had a job is taken to have storage. */
export async function hasStorage(platform: LeptonClient, { storage }: RunPlan): Promise<boolean> {
  if (!(await hasStorageApi(platform))) return true;
  return platform.storage.exists(storage.fileSystem, storage.path);
}

/** Brings home what the run's folder holds, then removes it. Rejects, having removed nothing, when not all of it is home. */
export async function clearStorage(request: RunStorageRequest): Promise<void> {
  const { plan, discard } = request;
  // The user's own data is never ours to remove: only what carries the run's id is.
  if (!plan.storage.path.split('/').includes(plan.invocation)) {
    throw new Error(`storage ${plan.storage.path} does not carry the run's id and is left alone`);
  }
  if (!discard) for (const task of plan.tasks) await bringHome(request, task);
  const [first] = plan.tasks;
  if (!first) return;
  const { storage } = plan;
  const input = { ...ownerOf(plan, first), storage, folder: null, job: { name: first.jobName, spec: first.job } };
  if (!(await removeFolder(input, contextOf(request, first)))) {
    throw new Error(`storage ${storage.path} was told to go, but is still there`);
  }
}

async function bringHome(request: RunStorageRequest, task: TaskPlan): Promise<void> {
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
      maxBytes: limits.resultBytes,
    },
    contextOf(request, task),
  );
  if (fetched) report?.(`${fetched.files} files of ${task.folder} are in ${target}`);
}

const ownerOf = ({ platform, invocation }: RunPlan, { index }: TaskPlan) => ({ platform, invocation, index });

function contextOf({ platform, plan, origin, signal }: RunStorageRequest, { index }: TaskPlan): StorageContext {
  return {
    platform: { client: platform, pace: paceOf(platform.access.url) },
    marks: { invocation: plan.invocation, index, origin },
    signal: signal ?? new AbortController().signal,
    onProgress: () => undefined,
  };
}
