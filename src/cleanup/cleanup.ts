import { NotHome } from '../results/transfer/run-folder';
import { hasStorageApi } from '../results/transfer/task-storage';
import type { RunPlan } from '../contract/plan';
import type { KeptStorage, LeftResource } from '../contract/state';
import type { LeptonClient } from '../lepton/types';
import { withRetries, type RetryOptions } from '../lepton/retry';
import { findTrace, searchFolder, type JobTrace, type StoragePlace } from './find-storage';
import { LearnedSecrets } from '../secrets/learned-secrets';
import type { TargetSurroundings } from '../results/store/target';
import type { HomePaths } from '../home/paths';
import { keepLog, logPlaceOf, type KeptLog } from './keep-log';
import { findTokens } from './endpoint-tokens';
import { findMarked, removeMarked, type MarkedResource } from './marked';
import { hasStorage } from './run-storage';
import { secretsForFiles, secretsInSpec } from './spec-secrets';
import { accessTo, type CameHome, type StorageAccess } from './storage-access';

/** Milliseconds that one deletion may take before it counts as failed. */
const removalTimeoutMs = 300_000;

export interface CleanupRequest {
  readonly platform: LeptonClient;
  readonly invocation: string;
  /** The run's plan, if known. Without it, storage is found through the run's jobs, also archived ones, or by its name. */
  readonly plan: RunPlan | undefined;
  /** The run's folder, for a run without a plan. Default: searched for. */
  readonly storage?: StoragePlace | undefined;
  /** This Temporal installation, written as a mark into helper jobs that replace a missing storage API. */
  readonly origin: string;
  /** Absolute folder for results that were not fetched yet, if there is no plan. */
  readonly outputDir: string;
  /** Where logs are saved that can't be written to the output folder. Default: nowhere; the report says that they are lost. */
  readonly home?: Pick<HomePaths, 'runs' | 'swept'> | undefined;
  /** Masked in everything that is saved or reported, together with the secrets in the run's own resources. */
  readonly secrets: readonly string[];
  /** Removes storage without fetching its content first. */
  readonly discard: boolean;
  /** As in `RunStorageRequest`. */
  readonly target?: TargetSurroundings | undefined;
  /**
   * Called before the first removal, if there is anything to remove; `owners`: the Temporal installations in its marks. Throws
   * if it isn't certain that the run is over. Default: the caller is certain.
   */
  readonly admit?: ((owners: readonly string[]) => void) | undefined;
  /** Called before the storage's content is fetched. */
  readonly onBringHome?: (() => unknown) | undefined;
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** How long to retry a fetch while the platform fails; each retry continues where it stopped. Default: no retries. */
  readonly patience?: RetryOptions | undefined;
  /** Default: five minutes per deletion. */
  readonly removalTimeoutMs?: number | undefined;
}

export interface CleanupReport {
  readonly removed: readonly (Removed & KeptLog)[];
  readonly left: readonly LeftResource[];
  readonly kept: readonly KeptStorage[];
  /** Why this host can't tell whether storage is left; `null` if it can. */
  readonly unseen: string | null;
}

interface Masked extends CleanupRequest {
  /** Masked in everything that is reported, errors included. */
  readonly learned: LearnedSecrets;
}

type Removed = Pick<LeftResource, 'kind' | 'name'>;

/** Removes a run's leftovers: jobs, endpoints, and storage after its content is fetched. Asks only the platform, not Temporal. */
export async function cleanUp(request: CleanupRequest): Promise<CleanupReport> {
  const learned = new LearnedSecrets(request.secrets);
  return learned.maskingErrors(() => cleanUpMasked(request, learned));
}

async function cleanUpMasked(asked: CleanupRequest, learned: LearnedSecrets): Promise<CleanupReport> {
  const { platform, invocation, plan, signal } = asked;
  const marked = (await findMarked(platform)).filter((resource) => resource.invocation === invocation);
  const tokens = (await findTokens(platform)).filter((token) => token.invocation === invocation);
  // Jobs say where the storage is, so they are read before they are removed.
  const trace = plan ? undefined : await findTrace(platform, invocation);
  const specs = [...marked, ...(trace ? [trace] : [])].map(({ spec }) => spec);
  learned.add(specs.flatMap((spec) => secretsInSpec(spec, plan)));
  const request: Masked = {
    ...asked,
    learned,
    secrets: [...asked.secrets, ...specs.flatMap((spec) => secretsForFiles(spec, plan))],
    report: (line) => asked.report(learned.mask(line)),
  };
  const storage = await findStorage(request, trace);
  const owners = [...marked, ...(storage.kind === 'there' && trace ? [trace] : [])].map(({ origin }) => origin);
  if (marked.length > 0 || tokens.length > 0 || storage.kind === 'there') request.admit?.([...new Set(owners)]);
  const outcome = new Outcome(request);
  const options = { timeoutMs: request.removalTimeoutMs ?? removalTimeoutMs, signal };
  await Promise.all(
    marked.map((one) =>
      outcome.remove(one, async () => {
        const kept = await keepLogOf(one, request);
        await removeMarked(platform, one, options);
        return kept;
      }),
    ),
  );
  await Promise.all(
    tokens.map((token) =>
      outcome.remove(token, async () => {
        await platform.deleteSecret(token.name);
        return {};
      }),
    ),
  );
  if (storage.kind === 'there') await settleStorage(request, { place: storage.place, trace }, outcome);
  // Not the outcome itself, which holds the secrets: a caller may print the report.
  const { removed, left, kept } = outcome;
  return { removed, left, kept, unseen: storage.kind === 'unseen' ? storage.reason : null };
}

class Outcome {
  readonly removed: CleanupReport['removed'][number][] = [];
  readonly left: LeftResource[] = [];
  readonly kept: KeptStorage[] = [];

  constructor(private readonly request: Pick<Masked, 'report' | 'learned'>) {}

  /** Calls `keep`, instead of recording a failure, if storage holds something that wasn't fetched. */
  async remove({ kind, name }: Removed, work: () => Promise<KeptLog>, keep?: (reason: string) => void): Promise<void> {
    const { report, learned } = this.request;
    try {
      const { log, logLost } = await work();
      this.removed.push({
        kind,
        name,
        ...(log === undefined ? {} : { log }),
        ...(logLost === undefined ? {} : { logLost: learned.mask(logLost) }),
      });
      report(`removed ${kind} ${name}`);
      if (log !== undefined) report(`its log is in ${log}`);
      if (logLost !== undefined)
        report(`its log ${log === undefined ? '' : 'to the end '}could not be saved: ${logLost}`);
    } catch (error) {
      const reason = learned.mask((error as Error).message);
      if (error instanceof NotHome && keep) return keep(reason);
      this.left.push({ kind, name, reason });
      report(`could not remove ${kind} ${name}: ${reason}`);
    }
  }
}

/** Saves no log with `discard`. */
async function keepLogOf(resource: MarkedResource, request: CleanupRequest): Promise<KeptLog> {
  const { platform, plan, home, outputDir, secrets, discard, signal } = request;
  if (discard) return {};
  const root = plan?.outputDir ?? outputDir;
  const place = logPlaceOf(resource, { plan, home: home ?? { runs: root, swept: root }, outputDir: root });
  return keepLog(resource, { platform, place, plan, secrets, signal });
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
  request: Masked,
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
  const keep = (reason: string): void => {
    outcome.kept.push({ path: place.path, reason, command: `evalsaga cleanup ${invocation} --discard` });
  };
  let home: CameHome;
  if (!discard) {
    request.onBringHome?.();
    const brought = await orReason(access.bringHome, request);
    if (brought.kind === 'not home') return keep(brought.reason);
    home = brought.home;
  }
  const remove = async (): Promise<KeptLog> => {
    await access.remove(home);
    return {};
  };
  await outcome.remove({ kind: 'storage', name: place.path }, remove, keep);
}

type Brought =
  { readonly kind: 'home'; readonly home: CameHome } | { readonly kind: 'not home'; readonly reason: string };

/** Retries temporary failures; a final failure becomes the reason for keeping the folder. */
async function orReason(
  bringHome: StorageAccess['bringHome'],
  { patience = { withinMs: 0 }, learned, signal }: Masked,
): Promise<Brought> {
  try {
    return { kind: 'home', home: await withRetries(bringHome, { ...patience, signal }) };
  } catch (error) {
    signal?.throwIfAborted();
    return { kind: 'not home', reason: learned.mask((error as Error).message) };
  }
}
