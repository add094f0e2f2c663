import path from 'node:path';
import type { RunPlan, StoragePlan } from '../contract/plan';
import type { KeptStorage, LeftResource } from '../contract/state';
import type { LeptonClient } from '../lepton/types';
import { fetchTaskResults } from '../results/fetch';
import { findMarked, removeMarked, type MarkedResource } from './marked';

/** Milliseconds that one deletion may take before it counts as failed. */
const removalTimeoutMs = 300_000;

export interface CleanupRequest {
  readonly platform: LeptonClient;
  readonly invocation: string;
  /** What this host knows of the run; without it, storage is found through what is left of the run's jobs. */
  readonly plan: RunPlan | undefined;
  /** Absolute folder for results that are not home yet, when the plan does not name one. */
  readonly outputDir: string;
  /** Storage goes without being brought home first. */
  readonly discard: boolean;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface CleanupReport {
  readonly removed: readonly { readonly kind: LeftResource['kind']; readonly name: string }[];
  readonly left: readonly LeftResource[];
  readonly kept: readonly KeptStorage[];
}

/** Tears down whatever is left of a run: jobs, endpoints, and storage once it is home. Asks only the platform. */
export async function cleanUp(request: CleanupRequest): Promise<CleanupReport> {
  const { platform, invocation, report } = request;
  const marked = (await findMarked(platform)).filter((resource) => resource.invocation === invocation);
  const storage = request.plan?.storage ?? (await storageOfJobs(platform, marked, invocation));
  const removed: { kind: LeftResource['kind']; name: string }[] = [];
  const left: LeftResource[] = [];
  const remove = async (kind: LeftResource['kind'], name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
      removed.push({ kind, name });
      report(`removed ${kind} ${name}`);
    } catch (error) {
      left.push({ kind, name, reason: (error as Error).message });
      report(`could not remove ${kind} ${name}: ${(error as Error).message}`);
    }
  };
  const options = { timeoutMs: removalTimeoutMs, signal: request.signal };
  await Promise.all(
    marked.map((resource) => remove(resource.kind, resource.name, () => removeMarked(platform, resource, options))),
  );

  const kept: KeptStorage[] = [];
  if (storage && (await platform.storage.exists(storage.fileSystem, storage.path))) {
    const reason = request.discard ? undefined : await bringHome(request, storage);
    if (reason === undefined) {
      await remove('storage', storage.path, () => platform.storage.remove(storage.fileSystem, storage.path));
    } else {
      kept.push({ path: storage.path, reason, command: `evalsaga cleanup ${invocation} --discard` });
    }
  }
  return { removed, left, kept };
}

/** Fetches every task folder of the run's storage; why it can't be removed, or `undefined` when all is home. */
async function bringHome(
  request: CleanupRequest,
  storage: Pick<StoragePlan, 'fileSystem' | 'path'>,
): Promise<string | undefined> {
  const { platform, plan, report } = request;
  const outputDir = plan?.outputDir ?? request.outputDir;
  const entries = (await platform.storage.list(storage.fileSystem, storage.path)) ?? [];
  try {
    for (const { name, type } of entries) {
      if (type !== 'dir') continue;
      const fetched = await fetchTaskResults({
        client: platform,
        fileSystem: storage.fileSystem,
        path: path.posix.join(storage.path, name),
        target: path.join(outputDir, path.basename(name)),
        maxBytes: plan?.limits.resultBytes ?? Number.MAX_SAFE_INTEGER,
        signal: request.signal,
      });
      if (fetched) report(`${fetched.files} files of ${name} are in ${path.join(outputDir, path.basename(name))}`);
    }
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Where a run wrote, told by the mounts of its jobs: the one whose path carries the run's id. */
async function storageOfJobs(
  platform: LeptonClient,
  marked: readonly MarkedResource[],
  invocation: string,
): Promise<Pick<StoragePlan, 'fileSystem' | 'path'> | undefined> {
  for (const { kind, id } of marked) {
    if (kind !== 'job') continue;
    const job = await platform.getJob(id);
    const mounts = (job?.spec?.['mounts'] ?? []) as readonly { readonly path?: string; readonly from?: string }[];
    const mount = mounts.find((candidate) => candidate.path?.split('/').includes(invocation));
    if (mount?.path !== undefined) return { fileSystem: fileSystemOf(mount.from ?? ''), path: mount.path };
  }
  return undefined;
}

/** The storage API's name for a mount's volume: `node-nfs:NAME` → `NAME`, anything else is the default one. Pure. */
const fileSystemOf = (from: string): string => /^node-nfs:(.+)$/.exec(from)?.[1] ?? 'default';
