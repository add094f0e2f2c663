import path from 'node:path';
import { fetchFolder, hasStorageApi, removeFolder, type StorageContext } from '../results/transfer/task-storage';
import type { RunPlan } from '../contract/plan';
import { paceOf } from '../lepton/pace';
import type { LeptonClient } from '../lepton/types';
import { largestCollectedBytes } from '../results/transfer/collector';
import { fetchTaskResults } from '../results/transfer/fetch';
import { boundsOfCleanup } from '../results/transfer/remote-tree';
import type { JobTrace, StoragePlace } from './find-storage';
import { bringStorageHome, carriesId, notHome, removeStorage } from './run-storage';

/** How `cleanup` gets at the folder of a run: by what is known of the run, and by what the workspace offers. */

export interface StorageAccess {
  /** Rejects when not all that there is came home. */
  readonly bringHome: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

export interface AccessRequest {
  readonly platform: LeptonClient;
  readonly invocation: string;
  readonly plan: RunPlan | undefined;
  /** A job that the run had, where there is no plan. */
  readonly trace: JobTrace | undefined;
  /** Written into the jobs that stand in for a missing storage API. */
  readonly origin: string;
  readonly outputDir: string;
  readonly secrets: readonly string[];
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** `undefined`: neither the storage API nor a job can be used; only a host that knows the run's plan can do it. */
export async function accessTo(place: StoragePlace, request: AccessRequest): Promise<StorageAccess | undefined> {
  const { plan, trace } = request;
  if (plan) return accessByPlan(request, plan);
  if (await hasStorageApi(request.platform)) return accessByPlace(request, place);
  return trace && accessByJob(request, place, trace);
}

/** Whichever way the workspace gives access to storage. */
function accessByPlan(request: AccessRequest, plan: RunPlan): StorageAccess {
  const storage = { ...request, plan, unbounded: true };
  return { bringHome: () => bringStorageHome(storage), remove: () => removeStorage(storage) };
}

/** By the storage API. */
function accessByPlace(request: AccessRequest, { fileSystem, path: folder }: StoragePlace): StorageAccess {
  const { platform, outputDir, secrets, report, signal } = request;
  return {
    async bringHome() {
      const left: string[] = [];
      const entries = (await platform.storage.list(fileSystem, folder, { signal })) ?? [];
      for (const { name } of entries.filter(({ type }) => type === 'dir')) {
        const target = path.join(outputDir, path.basename(name));
        const from = path.posix.join(folder, name);
        const limit = Number.MAX_SAFE_INTEGER;
        const fetched = await fetchTaskResults({
          client: platform,
          fileSystem,
          path: from,
          target,
          secrets,
          maxBytes: limit,
          bounds: boundsOfCleanup,
          signal,
        });
        if (fetched) report(`${fetched.files} files of ${name} are in ${target}`);
        if (fetched?.incomplete) left.push(fetched.incomplete);
      }
      left.push(
        ...notHome(
          folder,
          entries.filter(({ type }) => type !== 'dir'),
        ),
      );
      if (left.length > 0) throw new Error(left.join('; '));
    },
    async remove() {
      refuseForeign(folder, request);
      await platform.storage.remove(fileSystem, folder, { signal });
      if (await platform.storage.exists(fileSystem, folder, { signal }))
        throw new Error(`storage ${folder} was told to go, but is still there`);
    },
  };
}

/** By jobs made after one that the run had: same image, place and mount. Its whole folder comes as one. */
function accessByJob(request: AccessRequest, place: StoragePlace, trace: JobTrace): StorageAccess {
  const { platform, invocation, outputDir, secrets, report, origin, signal } = request;
  const { index, job } = trace;
  const from =
    place.fileSystem === trace.storage.fileSystem ? trace.storage.mount.from : `node-nfs:${place.fileSystem}`;
  const storage = { ...place, mount: { ...trace.storage.mount, path: place.path, from } };
  const context: StorageContext = {
    platform: { client: platform, pace: paceOf(platform.access.url) },
    marks: { invocation, index, origin },
    secrets,
    signal: signal ?? new AbortController().signal,
    onProgress: () => undefined,
  };
  const owner = {
    platform: { kind: 'lepton', workspace: platform.access.workspace, url: platform.access.url },
    invocation,
    index,
  } as const;
  return {
    async bringHome() {
      const wanted = { ...owner, storage, job, folder: '.', target: outputDir, maxBytes: largestCollectedBytes };
      const fetched = await fetchFolder(wanted, context);
      if (fetched) report(`${fetched.files} files of the run are in ${outputDir}`);
      if (fetched?.incomplete) throw new Error(fetched.incomplete);
    },
    async remove() {
      refuseForeign(place.path, request);
      const isGone = await removeFolder({ ...owner, storage, job, folder: null }, context);
      if (!isGone) throw new Error(`storage ${place.path} was told to go, but is still there`);
    },
  };
}

/** The user's own data is never ours to remove: only what carries the run's id is. */
function refuseForeign(folder: string, { invocation }: AccessRequest): void {
  if (!carriesId(folder, invocation))
    throw new Error(`storage ${folder} does not carry the run's id and is left alone`);
}
