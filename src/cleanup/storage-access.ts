import path from 'node:path';
import { fetchFolder, hasStorageApi, removeFolder, type StorageContext } from '../results/transfer/task-storage';
import type { RunPlan } from '../contract/plan';
import { paceOf } from '../lepton/pace';
import type { LeptonClient } from '../lepton/types';
import { maxCollectedBytes } from '../results/transfer/collector';
import { fetchTaskResults } from '../results/transfer/fetch';
import { boundsOfCleanup } from '../results/transfer/remote-tree';
import { NotHome, notHomeText, unexpectedEntries } from '../results/transfer/run-folder';
import type { TargetSurroundings } from '../results/store/target';
import type { JobTrace, StoragePlace } from './find-storage';
import { bringStorageHome, carriesId, removeStorage } from './run-storage';

/** How `cleanup` accesses a run's folder, depending on what is known about the run and what the workspace offers. */

export interface StorageAccess {
  /** Fetches the content; returns the names fetched, `undefined` for the whole folder. Rejects if anything could not be fetched. */
  readonly bringHome: () => Promise<CameHome>;
  /** Removes the folder; given the fetched names, rejects with `NotHome` if it holds other files. */
  readonly remove: (home?: CameHome) => Promise<void>;
}

export type CameHome = readonly string[] | undefined;

export interface AccessRequest {
  readonly platform: LeptonClient;
  readonly invocation: string;
  readonly plan: RunPlan | undefined;
  /** A job of the run, if there is no plan. */
  readonly trace: JobTrace | undefined;
  /** Written into helper jobs that replace a missing storage API. */
  readonly origin: string;
  readonly outputDir: string;
  readonly secrets: readonly string[];
  /** As in `RunStorageRequest`. */
  readonly target?: TargetSurroundings | undefined;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Returns `undefined` if neither the storage API nor a job can be used: then only a host with the run's plan has access. */
export async function accessTo(place: StoragePlace, request: AccessRequest): Promise<StorageAccess | undefined> {
  const { plan, trace } = request;
  if (plan) return accessByPlan(request, plan);
  if (await hasStorageApi(request.platform)) return accessByPlace(request, place);
  return trace && accessByJob(request, place, trace);
}

/** Uses the storage API or helper jobs, whichever the workspace supports. */
function accessByPlan(request: AccessRequest, plan: RunPlan): StorageAccess {
  const storage = { ...request, plan, unbounded: true };
  return { bringHome: () => bringStorageHome(storage), remove: (home) => removeStorage(storage, home) };
}

/** Uses the storage API. */
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
      const others = (await unexpectedEntries(platform, { fileSystem, path: folder }, home)) ?? [];
      if (others.length > 0) left.push(notHomeText(folder, others));
      if (left.length > 0) throw new Error(left.join('; '));
      return home;
    },
    async remove(home) {
      refuseForeign(folder, request);
      const others = (home && (await unexpectedEntries(platform, { fileSystem, path: folder }, home))) ?? [];
      if (others.length > 0) throw new NotHome(notHomeText(folder, others));
      await platform.storage.remove(fileSystem, folder, { signal });
      if (await platform.storage.exists(fileSystem, folder, { signal }))
        throw new Error(`storage ${folder} was deleted, but is still listed`);
    },
  };
}

/** Uses helper jobs modelled on a job of the run: same image, node group and mount. Fetches the folder as a whole. */
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

/** Throws unless the path contains the run's id: the user's own data must never be removed. */
function refuseForeign(folder: string, { invocation }: AccessRequest): void {
  if (!carriesId(folder, invocation))
    throw new Error(`storage ${folder} does not carry the run's id and is left alone`);
}
