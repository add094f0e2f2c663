import path from 'node:path';
import { fetchFolder, hasStorageApi, removeFolder, type StorageContext } from '../results/transfer/task-storage';
import type { RunPlan } from '../contract/plan';
import { paceOf } from '../lepton/pace';
import type { LeptonClient } from '../lepton/types';
import { maxCollectedBytes } from '../results/transfer/collector';
import { fetchTaskResults } from '../results/transfer/fetch';
import { boundsOfCleanup } from '../results/transfer/remote-tree';
import { NotHome, notHomeText, unexpectedEntries } from '../results/transfer/run-folder';
import type { JobTrace, StoragePlace } from './find-storage';
import { bringStorageHome, carriesId, removeStorage } from './run-storage';

/** How `cleanup` gets at the folder of a run: by what is known of the run, and by what the workspace offers. */

export interface StorageAccess {
  /** Rejects when not all that there is came home. Returns what did: names in the run's folder; `undefined`: the folder as a whole. */
  readonly bringHome: () => Promise<CameHome>;
  /** Removes the folder; with what came home of it, rejects with `NotHome` if it holds other files. */
  readonly remove: (home?: CameHome) => Promise<void>;
}

export type CameHome = readonly string[] | undefined;

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
  return { bringHome: () => bringStorageHome(storage), remove: (home) => removeStorage(storage, home) };
}

/** By the storage API. */
function accessByPlace(request: AccessRequest, { fileSystem, path: folder }: StoragePlace): StorageAccess {
  const { platform, outputDir, secrets, report, signal } = request;
  return {
    async bringHome() {
      const left: string[] = [];
      const home: string[] = [];
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
        if (fetched) home.push(name);
      }
      const others = await unexpectedEntries(platform, { fileSystem, path: folder }, home);
      if (others.length > 0) left.push(notHomeText(folder, others));
      if (left.length > 0) throw new Error(left.join('; '));
      return home;
    },
    async remove(home) {
      refuseForeign(folder, request);
      const others = home ? await unexpectedEntries(platform, { fileSystem, path: folder }, home) : [];
      if (others.length > 0) throw new NotHome(notHomeText(folder, others));
      await platform.storage.remove(fileSystem, folder, { signal });
      if (await platform.storage.exists(fileSystem, folder, { signal }))
        throw new Error(`storage ${folder} was deleted, but is still listed`);
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
      const wanted = { ...owner, storage, job, folder: '.', target: outputDir, maxBytes: maxCollectedBytes };
      const fetched = await fetchFolder(wanted, context);
      if (fetched) report(`${fetched.files} files of the run are in ${outputDir}`);
      if (fetched?.incomplete) throw new Error(fetched.incomplete);
      return undefined;
    },
    async remove() {
      refuseForeign(place.path, request);
      const isGone = await removeFolder({ ...owner, storage, job, folder: null }, context);
      if (!isGone) throw new Error(`storage ${place.path} was deleted, but is still listed`);
    },
  };
}

/** The user's own data is never ours to remove: only what carries the run's id is. */
function refuseForeign(folder: string, { invocation }: AccessRequest): void {
  if (!carriesId(folder, invocation))
    throw new Error(`storage ${folder} does not carry the run's id and is left alone`);
}
