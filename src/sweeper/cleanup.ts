import { hasStorageApi } from '../activities/task-storage';
import type { RunPlan } from '../contract/plan';
import type { KeptStorage, LeftResource } from '../contract/state';
import type { LeptonClient } from '../lepton/types';
import { patiently, type Patience } from '../lepton/patience';
import { findTrace, searchFolder, type JobTrace, type StoragePlace } from './find-storage';
import { findMarked, removeMarked } from './marked';
import { hasStorage } from './run-storage';
import { accessTo } from './storage-access';

/** Milliseconds that one deletion may take before it counts as failed. */
const removalTimeoutMs = 300_000;

export interface CleanupRequest {
  readonly platform: LeptonClient;
  readonly invocation: string;
  /** What is known of the run; without it, storage is found through its jobs, also archived ones, or by its name. */
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
  /** Called before anything is brought home. */
  readonly onBringHome?: (() => unknown) | undefined;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** With a platform that fails in passing while results come home, which go on where they were. Default: none. */
  readonly patience?: Patience | undefined;
  /** Default: five minutes per deletion. */
  readonly removalTimeoutMs?: number | undefined;
}

export interface CleanupReport {
  readonly removed: readonly { readonly kind: LeftResource['kind']; readonly name: string }[];
  readonly left: readonly LeftResource[];
  readonly kept: readonly KeptStorage[];
  /** Why nobody can say from here whether storage is left; `null`: it is known. */
  readonly unseen: string | null;
}

/** Tears down whatever is left of a run: jobs, endpoints, and storage once it is home. Asks only the platform. */
export async function cleanUp(request: CleanupRequest): Promise<CleanupReport> {
  const { platform, invocation, plan, signal } = request;
  const marked = (await findMarked(platform)).filter((resource) => resource.invocation === invocation);
  // Before they go: they tell where the storage is.
  const trace = plan ? undefined : await findTrace(platform, invocation);
  const storage = await findStorage(request, trace);
  const owners = [...marked, ...(storage.kind === 'there' && trace ? [trace] : [])].map(({ origin }) => origin);
  if (marked.length > 0 || storage.kind === 'there') request.admit?.([...new Set(owners)]);
  const outcome = new Outcome(request.report);
  const options = { timeoutMs: request.removalTimeoutMs ?? removalTimeoutMs, signal };
  await Promise.all(
    marked.map((one) => outcome.remove(one.kind, one.name, () => removeMarked(platform, one, options))),
  );
  if (storage.kind === 'there') await settleStorage(request, { place: storage.place, trace }, outcome);
  if (storage.kind === 'unseen') outcome.unseen = storage.reason;
  return outcome;
}

class Outcome implements CleanupReport {
  readonly removed: { kind: LeftResource['kind']; name: string }[] = [];
  readonly left: LeftResource[] = [];
  readonly kept: KeptStorage[] = [];
  unseen: string | null = null;

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

type Storage =
  | { readonly kind: 'there'; readonly place: StoragePlace }
  | { readonly kind: 'none' }
  | { readonly kind: 'unseen'; readonly reason: string };

async function findStorage(
  { platform, invocation, plan, storage }: CleanupRequest,
  trace: JobTrace | undefined,
): Promise<Storage> {
  if (plan) return (await hasStorage(platform, plan)) ? { kind: 'there', place: plan.storage } : { kind: 'none' };
  const place = storage ?? trace?.storage ?? (await searchFolder(platform, invocation));
  if (!(await hasStorageApi(platform))) return place ? { kind: 'there', place } : { kind: 'unseen', reason: unseen };
  if (!place || !(await platform.storage.exists(place.fileSystem, place.path))) return { kind: 'none' };
  return { kind: 'there', place };
}

const unseen =
  "the workspace has no storage API and remembers no job of the run, so a folder that the run left can't be seen from here: run this on the host that started the run, or look on Lepton's own pages for a folder of that id";

async function settleStorage(
  request: CleanupRequest,
  { place, trace }: { readonly place: StoragePlace; readonly trace: JobTrace | undefined },
  outcome: Outcome,
): Promise<void> {
  const { invocation, discard } = request;
  const access = await accessTo(place, { ...request, trace });
  if (!access) {
    const reason =
      "the workspace has no storage API and remembers no job of the run: only the host that started the run can get at it, or Lepton's own pages";
    outcome.kept.push({ path: place.path, reason, command: `evalsaga cleanup ${invocation}` });
    return;
  }
  if (!discard) request.onBringHome?.();
  const reason = discard ? undefined : await whyNot(access.bringHome, request);
  if (reason === undefined) return outcome.remove('storage', place.path, access.remove);
  outcome.kept.push({ path: place.path, reason, command: `evalsaga cleanup ${invocation} --discard` });
}

/** Why the folder can't be removed: not all of it came home. `undefined`: it did. */
async function whyNot(
  bringHome: () => Promise<void>,
  { patience = { withinMs: 0 }, signal }: CleanupRequest,
): Promise<string | undefined> {
  try {
    await patiently(bringHome, { ...patience, signal });
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    return (error as Error).message;
  }
}
