import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { firstOf } from '../support/listing';
import { failureTypes } from '../contract/failure-types';
import type { Owner } from '../contract/inputs/owner';
import type { FetchedResults, FetchResultsInput, RemoveStorageInput } from '../contract/inputs/results';
import type { RecordRunInput } from '../contract/inputs/run';
import { ownerIn } from '../contract/owner';
import { isInStore, resultsPlaceOf } from '../contract/results-place';
import { defaultSkips } from '../contract/skip-results';
import { hasStorageToFetch } from '../contract/state';
import { removalPollDelayMs } from '../lepton/retry-timing';
import type { LeptonClient } from '../lepton/types';
import { IncompleteCollection } from '../results/transfer/collected';
import { openStore } from '../results/store/open-store';
import { StoreError } from '../results/store/store-error';
import { withTarget, type ResultsTarget } from '../results/store/target';
import type { FetchedFolder } from '../results/transfer/fetch';
import { HelperJobFailed } from '../results/transfer/through-job';
import { writeAtomically } from '../support/atomic-file';
import { messageOf } from '../support/error-message';
import { localFault } from '../support/local-fault';
import { isInterrupted } from '../results/scores/notes';
import { UnusableFolder } from '../results/transfer/remote-tree';
import { writeRunRecord, type RunRecord } from '../results/scores/run-record';
import { within } from '../support/within';
import { InARow } from './absences';
import { attempt, type Attempt } from './attempt';
import type { Verdict } from '../contract/verdict';
import { cancelledBy } from './cancelled-by';
import type { ActivityDependencies } from './dependencies';
import { finalFailure, notReady } from './failures';
import { transfers } from './heavy';
import { readLocalResults, scoresDespiteFailure, type LocalResults } from './local-results';
import { askRun, buildRunRecord, type RunToRecord } from './run-record';
import { NotHome } from '../results/transfer/run-folder';
import { fetchFolder, hasStorageApi, removeFolder } from '../results/transfer/task-storage';
import { cachesFolder, fetchCaches } from '../results/transfer/caches';
import { skipRule } from '../results/transfer/skip-rules';
import { withinAttemptTime } from './within-attempt-time';
import { fitForHistory, secretsToMask } from './wording';

/** Attempts to fetch a folder with changing content or unsafe names, before its storage is kept instead. */
const unusableAttempts = 4;
/** Counts attempts whose helper jobs failed (used where there is no storage API): each attempt starts up to three. */
const helpersFailed = new InARow(3);

/** Activities that fetch results, remove storage, and record the run. */
export function createResultActivities(dependencies: ActivityDependencies) {
  const marksFor = ({ invocation, index }: Owner) => ({ invocation, index, origin: dependencies.origin });
  const writing = async <T>(place: string, work: (target: ResultsTarget) => Promise<T>): Promise<T> =>
    withTarget(place, { staging: dependencies.stagingFolder, env: await dependencies.storeEnvironment() }, work);

  /** `input` names the local folder of the target. */
  async function fetchTo(target: ResultsTarget, input: FetchResultsInput): Promise<FetchedResults> {
    const subject = `results of task ${input.index}`;
    try {
      return await attempt({ subject, purpose: 'reading' }, async (look) => {
        const platform = await dependencies.platform(input.platform);
        const { progress: onProgress } = look;
        const secrets = [...secretsToMask(), ...(await dependencies.sealedSecretsOf(input))];
        const { isSettled } = input;
        const context = { platform, marks: marksFor(input), secrets, onProgress, isSettled };
        const fetched = await transfers(input.invocation, () =>
          withinAttemptTime(subject, look, async (signal) => {
            const openJournal = () => target.openJournal(signal);
            const folder = await fetchFolder(input, { ...context, openJournal, signal });
            await target.complete(signal);
            const caches = folder && (await bringCaches(input, { client: platform.client, secrets, signal }));
            if (caches) await target.complete(signal);
            return folder && { ...folder, caches };
          }),
        ).catch((error: unknown) => {
          throw fetchFailure(error, { subject, target: target.place, look });
        });
        if (!fetched) return { found: 'absent', files: 0, bytes: 0, metrics: null, notes: [], incomplete: null };
        const { files, bytes } = fetched;
        const incomplete = fetched.incomplete && fitForHistory(fetched.incomplete);
        const home = await readLocalResults(input, { mayBeAll: incomplete === null });
        const found = incomplete === null ? 'home' : 'partly';
        return {
          ...home,
          found,
          notes: [...home.notes, ...skippedNote(fetched), ...cachesNote(input, fetched)],
          files,
          bytes,
          incomplete,
        };
      });
    } catch (failure) {
      if (!(failure instanceof ApplicationFailure) || failure.nonRetryable !== true) throw failure;
      const home = await scoresDespiteFailure(input, failure);
      return { ...home, found: 'partly', files: 0, bytes: 0, incomplete: fitForHistory(failure.message) };
    }
  }

  /** Writes `run.json`; where a lasting fault of the place prevents that, into this host's home. */
  async function recordIn(place: string, input: RunToRecord): Promise<void> {
    const inHome = path.join(dependencies.runsFolder, input.run.invocation);
    const { runsFolder, stagingFolder: staging } = dependencies;
    const env = await dependencies.storeEnvironment();
    await writing(place, async (target) => {
      const record = await buildRunRecord(input, { runsFolder, place, env, staging });
      const write = async (folder: string): Promise<void> => {
        await Promise.all([writeRunRecord(folder, record), writeReport(folder, record)]);
      };
      try {
        await write(target.folder);
        await target.complete(Context.current().cancellationSignal);
        if (isInStore(place)) await (await openStore(place, env)).endStaleUploads();
      } catch (error) {
        const isLasting =
          localFault(error) !== undefined || (error instanceof StoreError && error.kind !== 'unavailable');
        if (!isLasting) throw error;
        await write(inHome);
      }
    });
  }

  return {
    /** Reads scores and notes from files that are home: no activity of its own. */
    readResults: (input: Pick<FetchResultsInput, 'index' | 'target'>): Promise<LocalResults> =>
      readLocalResults(input, { mayBeAll: true }),

    /**
     * Fetches the task's storage folder, verified and resumable, and reads its scores. `metrics: null`: there is no results.yml.
     * Once the scores are fetched, failing to fetch the rest (size, depth, time) is not a failure; `incomplete` says why.
     */
    fetchResults: (input: FetchResultsInput): Promise<FetchedResults> =>
      writing(input.target, (target) => fetchTo(target, { ...input, target: target.folder })),

    /** Removes the folder and resolves once it no longer exists; until then throws NotReady. */
    async removeStorage(input: RemoveStorageInput): Promise<void> {
      const folder = input.folder === null ? input.storage.path : path.posix.join(input.storage.path, input.folder);
      const subject = `storage ${folder}`;
      await attempt({ subject, purpose: 'teardown' }, async ({ activity, signal, elapsedMs, progress: onProgress }) => {
        refuseForeignFolder(folder, input.invocation);
        const platform = await dependencies.platform(input.platform);
        const context = { platform, marks: marksFor(input), secrets: [], signal, onProgress };
        const isGone = await removeFolder(input, context).catch((error: unknown) => {
          throw removalFailure(error, { subject, activity });
        });
        if (isGone) return;
        throw notReady(
          `storage ${folder} is being removed`,
          removalPollDelayMs({ elapsedMs, platform: platform.pace }),
        );
      });
    },

    /**
     * Writes `run.json` and `report.html` beside the results or, if that fails, into this host's home. Then deletes the run's stored secrets, unless
     * they are needed to mask results fetched later. The last activity of every run.
     */
    async recordRun(input: RecordRunInput): Promise<void> {
      await attempt({ subject: `record of run ${input.run.invocation}`, purpose: 'teardown' }, async () => {
        const { run } = input;
        const snapshot = input.snapshot ?? (await askRun());
        await auditEnd(input);
        try {
          await recordIn(resultsPlaceOf(run), { ...input, snapshot });
        } finally {
          const { invocation, secretsAt } = ownerIn(run, 0);
          if (!hasStorageToFetch(snapshot)) await dependencies.forgetHostSecrets({ invocation, secretsAt });
        }
      });
    },
  };
}

/** Says in the worker's log how a run ended and, if somebody cancelled it, who. Never fails. */
async function auditEnd({ run, outcome }: RecordRunInput): Promise<void> {
  const { info, client } = Context.current();
  const by =
    mayBeCancelled(outcome) && info.workflowExecution
      ? await cancelledBy(client, info.workflowExecution).catch(() => undefined)
      : undefined;
  const { owner, model } = run;
  log.info('audit: a run ends', {
    audit: 'end',
    outcome,
    owner,
    model,
    ...(by === undefined ? {} : { cancelledBy: by }),
  });
}

/** A run that was cancelled and could not remove everything says only the latter. */
const mayBeCancelled = (outcome: Verdict): boolean => outcome === 'cancelled' || outcome === 'teardown incomplete';

/** A report can be made again from the record (`results --format html`), so that nothing fails without it. */
async function writeReport(folder: string, record: RunRecord): Promise<void> {
  try {
    // The plotting library is loaded only where it is used: it takes a third of a second.
    const [{ runReport, reportFile }, { reportedRun }] = await Promise.all([
      import('../report/run/run-report.js'),
      import('../report/run/reported-run.js'),
    ]);
    const text = runReport([reportedRun(record)], { writtenAt: record.endedAt, version: record.versions.evalsaga });
    await writeAtomically(path.join(folder, reportFile), (draft) => draft.writeFile(text));
  } catch (error) {
    log.warn('the report of a run could not be made', { invocation: record.invocation, error: messageOf(error) });
  }
}

const isOfHelpers = (error: unknown): error is HelperJobFailed | IncompleteCollection =>
  error instanceof HelperJobFailed || error instanceof IncompleteCollection;

/** Returns the final failure for a lasting fault, otherwise the error: a writer may finish, or disk space be freed. */
function fetchFailure(
  error: unknown,
  { subject, target, look }: { readonly subject: string; readonly target: string; readonly look: Attempt },
): unknown {
  const why = error instanceof UnusableFolder ? error.message : (whyNotStored(error) ?? whyNotWritable(error, target));
  if (why !== undefined && look.attempt >= unusableAttempts)
    return finalFailure(failureTypes.resultsUnusable, `${subject}: ${why}`);
  if (isOfHelpers(error) && helpersFailed.isReached(look.activity, true))
    return finalFailure(failureTypes.resultsUnusable, `${subject}: ${error.message}`);
  return error;
}

/** Last line of defence for the user's own data: only a path that contains this run's id is ever removed. */
function refuseForeignFolder(folder: string, invocation: string): void {
  if (folder.split('/').includes(invocation)) return;
  throw finalFailure(failureTypes.requestRefused, `storage ${folder} does not carry the run's id and is left alone`);
}

function removalFailure(
  error: unknown,
  { subject, activity }: { readonly subject: string } & Pick<Attempt, 'activity'>,
): unknown {
  if (error instanceof NotHome) return finalFailure(failureTypes.resultsNotHome, error.message);
  if (isOfHelpers(error) && helpersFailed.isReached(activity, true))
    return finalFailure(failureTypes.platformUnavailable, `${subject}: ${error.message}`);
  return error;
}

/** A store that doesn't answer is waited for. */
const whyNotStored = (error: unknown): string | undefined =>
  error instanceof StoreError && error.kind !== 'unavailable'
    ? `${error.message}; what the job wrote is kept in storage`
    : undefined;

function whyNotWritable(error: unknown, target: string): string | undefined {
  const fault = localFault(error);
  return fault && `${fault.path ?? target} can't be written: ${fault.reason}; what the job wrote is kept in storage`;
}

type FetchedWithCaches = FetchedFolder & { readonly caches: number | undefined };

function skippedNote({ skipped, caches = 0 }: FetchedWithCaches): string[] {
  const isCache = skipRule(defaultSkips);
  const left = skipped.filter((name) => caches === 0 || !(isCache('dir', name) || isCache('file', name)));
  if (left.length === 0) return [];
  return [fitForHistory(`Not brought home (execution.skip_results): ${firstOf(left, 5)}.`)];
}

const cachesNote = ({ invocation }: Owner, { caches = 0 }: FetchedWithCaches): string[] =>
  caches === 0
    ? []
    : [`What its evaluator had cached is in ${cachesFolder}/: evalsaga retry ${invocation} asks only the rest.`];

/** Milliseconds for the caches, without which a retry only asks more. */
const cachesWithinMs = 60_000;

/** Brings home what the evaluator of a task that did not succeed has cached; returns how many files. Never fails for it. */
async function bringCaches(
  { storage, folder, target, keepCaches = false }: FetchResultsInput,
  { client, secrets, signal }: { client: LeptonClient; secrets: readonly string[]; signal: AbortSignal },
): Promise<number> {
  try {
    if (!keepCaches && !(await isInterrupted(target))) return 0;
    if (!(await hasStorageApi(client))) return 0;
    const remote = { client, fileSystem: storage.fileSystem, path: path.posix.join(storage.path, folder) };
    return await within({ ms: cachesWithinMs, signal }, (bounded) =>
      fetchCaches({ ...remote, target, secrets, signal: bounded }),
    );
  } catch (error) {
    signal.throwIfAborted();
    log.warn('the caches of a task could not be brought home', { folder, error: messageOf(error) });
    await rm(path.join(target, cachesFolder), { recursive: true, force: true });
    return 0;
  }
}
