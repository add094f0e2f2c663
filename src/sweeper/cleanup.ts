import path from 'node:path';
import { hasStorageApi } from '../activities/task-storage';
import type { RunPlan } from '../contract/plan';
import type { KeptStorage, LeftResource } from '../contract/state';
import type { LeptonClient } from '../lepton/types';
import { fetchTaskResults } from '../results/fetch';
import { findRunFolder, type StoragePlace } from './find-storage';
import { findMarked, removeMarked } from './marked';
import { bringStorageHome, carriesId, hasStorage, removeStorage } from './run-storage';

/** Milliseconds that one deletion may take before it counts as failed. */
const removalTimeoutMs = 300_000;

export interface CleanupRequest {
  readonly platform: LeptonClient;
  readonly invocation: string;
  /** What is known of the run; without it, storage is found through what is left of its jobs, or by its name. */
  readonly plan: RunPlan | undefined;
  /** The run's folder, where neither a plan nor a search finds it. */
  readonly storage?: StoragePlace | undefined;
  /** Of this Temporal installation: marks the jobs that stand in for a missing storage API. */
  readonly origin: string;
  /** Absolute folder for results that are not home yet, when the plan does not name one. */
  readonly outputDir: string;
  /** Masked in what comes home. */
  readonly secrets: readonly string[];
  /** Storage goes without being brought home first. */
  readonly discard: boolean;
  /**
   * Asked before anything is removed, when there is something: `owners` are the Temporal installations whose marks it
   * carries. Throws when it is not certain that the run is over. Default: the caller is certain.
   */
  readonly admit?: ((owners: readonly string[]) => void) | undefined;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Default: five minutes per deletion. */
  readonly removalTimeoutMs?: number | undefined;
}

export interface CleanupReport {
  readonly removed: readonly { readonly kind: LeftResource['kind']; readonly name: string }[];
  readonly left: readonly LeftResource[];
  readonly kept: readonly KeptStorage[];
}

/** Tears down whatever is left of a run: jobs, endpoints, and storage once it is home. Asks only the platform. */
export async function cleanUp(request: CleanupRequest): Promise<CleanupReport> {
  const { platform, invocation, signal } = request;
  const marked = (await findMarked(platform)).filter((resource) => resource.invocation === invocation);
  const storage = await findStorage(request, marked);
  if (marked.length > 0 || storage) request.admit?.([...new Set(marked.map(({ origin }) => origin))]);
  const outcome = new Outcome(request.report);
  const options = { timeoutMs: request.removalTimeoutMs ?? removalTimeoutMs, signal };
  await Promise.all(
    marked.map((one) => outcome.remove(one.kind, one.name, () => removeMarked(platform, one, options))),
  );
  if (storage) await settleStorage(request, storage, outcome);
  return outcome;
}

class Outcome implements CleanupReport {
  readonly removed: { kind: LeftResource['kind']; name: string }[] = [];
  readonly left: LeftResource[] = [];
  readonly kept: KeptStorage[] = [];

  constructor(private readonly report: (line: string) => void) {}

  async remove(kind: LeftResource['kind'], name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.removed.push({ kind, name });
      this.report(`removed ${kind} ${name}`);
    } catch (error) {
      const reason = (error as Error).message;
      this.left.push({ kind, name, reason });
      this.report(`could not remove ${kind} ${name}: ${reason}`);
    }
  }
}

async function findStorage(
  { platform, invocation, plan, storage }: CleanupRequest,
  marked: Awaited<ReturnType<typeof findMarked>>,
): Promise<StoragePlace | undefined> {
  if (plan) return (await hasStorage(platform, plan)) ? plan.storage : undefined;
  const place = storage ?? (await findRunFolder(platform, { invocation, marked }));
  if (!place || !(await hasStorageApi(platform))) return place;
  return (await platform.storage.exists(place.fileSystem, place.path)) ? place : undefined;
}

async function settleStorage(request: CleanupRequest, place: StoragePlace, outcome: Outcome): Promise<void> {
  const { invocation, discard, platform, plan } = request;
  if (!plan && !(await hasStorageApi(platform))) {
    const reason =
      "the workspace has no storage API, and without the run's plan no job can stand in for it: only the host that started the run can, or Lepton's own pages";
    outcome.kept.push({ path: place.path, reason, command: `evalsaga cleanup ${invocation} --discard` });
    return;
  }
  const access = request.plan ? accessByPlan(request, request.plan) : accessByPlace(request, place);
  const reason = discard ? undefined : await whyNot(access.bringHome, request.signal);
  if (reason === undefined) return outcome.remove('storage', place.path, access.remove);
  outcome.kept.push({ path: place.path, reason, command: `evalsaga cleanup ${invocation} --discard` });
}

interface StorageAccess {
  readonly bringHome: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** Whichever way the workspace gives access to storage. */
function accessByPlan({ platform, origin, secrets, report, signal }: CleanupRequest, plan: RunPlan): StorageAccess {
  const storage = { platform, plan, origin, secrets, report, signal };
  return { bringHome: () => bringStorageHome(storage), remove: () => removeStorage(storage) };
}

/** By the storage API alone: jobs need a plan. */
function accessByPlace(request: CleanupRequest, { fileSystem, path: folder }: StoragePlace): StorageAccess {
  const { platform, invocation, outputDir, secrets, report, signal } = request;
  return {
    async bringHome() {
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
          signal,
        });
        if (fetched) report(`${fetched.files} files of ${name} are in ${target}`);
      }
    },
    async remove() {
      if (!carriesId(folder, invocation))
        throw new Error(`storage ${folder} does not carry the run's id and is left alone`);
      await platform.storage.remove(fileSystem, folder, { signal });
    },
  };
}

/** Why the folder can't be removed: not all of it came home. `undefined`: it did. */
async function whyNot(bringHome: () => Promise<void>, signal: AbortSignal | undefined): Promise<string | undefined> {
  try {
    await bringHome();
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    return (error as Error).message;
  }
}
