import { rm } from 'node:fs/promises';
import path from 'node:path';
import { log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { firstOf } from '../support/listing';
import { failureTypes } from '../contract/failure-types';
import type { Owner } from '../contract/inputs/owner';
import type { FetchedResults, FetchResultsInput } from '../contract/inputs/results';
import { defaultSkips } from '../contract/skip-results';
import type { LeptonClient } from '../lepton/types';
import { StoreError } from '../results/store/store-error';
import type { ResultsTarget } from '../results/store/target';
import type { FetchedFolder } from '../results/transfer/fetch';
import { messageOf } from '../support/error-message';
import { localFault } from '../support/local-fault';
import { isInterrupted } from '../results/scores/notes';
import { UnusableFolder } from '../results/transfer/remote-tree';
import { within } from '../support/within';
import { attempt, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure } from './failures';
import { transfers } from './heavy';
import { readLocalResults, scoresDespiteFailure, type LocalResults } from './local-results';
import { fetchFolder, hasStorageApi } from '../results/transfer/task-storage';
import { cachesFolder, fetchCaches } from '../results/transfer/caches';
import { skipRule } from '../results/transfer/skip-rules';
import { withinAttemptTime } from './within-attempt-time';
import { fitForHistory, secretsToMask } from './wording';
import { whyHelpersFailed } from './helper-jobs';
import { writingTo } from './writing';

/** Attempts to fetch a folder with changing content or unsafe names, before its storage is kept instead. */
const unusableAttempts = 4;

/** Creates the activities that bring results home. */
export function createResultActivities(dependencies: ActivityDependencies) {
  /** `input` names the local folder of the target. */
  async function fetchTo(target: ResultsTarget, input: FetchResultsInput): Promise<FetchedResults> {
    const subject = `results of task ${input.index}`;
    try {
      return await attempt({ subject, purpose: 'reading' }, async (look) => {
        const platform = await dependencies.platform(input.platform);
        const { progress: onProgress } = look;
        const secrets = [...secretsToMask(), ...(await dependencies.sealedSecretsOf(input))];
        const { isSettled } = input;
        const context = {
          platform,
          marks: { invocation: input.invocation, index: input.index, origin: dependencies.origin },
          secrets,
          onProgress,
          isSettled,
        };
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

  return {
    /** Reads scores and notes from files that are home: no activity of its own. */
    readResults: (input: Pick<FetchResultsInput, 'index' | 'target'>): Promise<LocalResults> =>
      readLocalResults(input, { mayBeAll: true }),

    /**
     * Fetches the task's storage folder, verified and resumable, and reads its scores. `metrics: null`: there is no results.yml.
     * Once the scores are fetched, failing to fetch the rest (size, depth, time) is not a failure; `incomplete` says why.
     */
    fetchResults: (input: FetchResultsInput): Promise<FetchedResults> =>
      writingTo(dependencies, input.target, (target) => fetchTo(target, { ...input, target: target.folder })),
  };
}

/** Returns the final failure for a lasting fault, otherwise the error: a writer may finish, or disk space be freed. */
function fetchFailure(
  error: unknown,
  { subject, target, look }: { readonly subject: string; readonly target: string; readonly look: Attempt },
): unknown {
  const why = error instanceof UnusableFolder ? error.message : (whyNotStored(error) ?? whyNotWritable(error, target));
  if (why !== undefined && look.attempt >= unusableAttempts)
    return finalFailure(failureTypes.resultsUnusable, `${subject}: ${why}`);
  const helpers = whyHelpersFailed(error, look);
  return helpers === undefined ? error : finalFailure(failureTypes.resultsUnusable, `${subject}: ${helpers}`);
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
