import path from 'node:path';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { failureTypes } from '../contract/failure-types';
import type { FetchedResults, FetchResultsInput, Owner, RecordRunInput, RemoveStorageInput } from '../contract/inputs';
import { mayComeHome } from '../contract/state';
import { goneDelayMs } from '../lepton/retry-timing';
import { IncompleteCollection } from '../results/transfer/collected';
import type { FetchedFolder } from '../results/transfer/fetch';
import { HelperJobFailed } from '../results/transfer/through-job';
import { localFault } from '../support/local-fault';
import { isInterrupted, readNotes } from '../results/scores/notes';
import { MalformedResults } from '../results/scores/parse';
import { UnusableFolder } from '../results/transfer/remote-tree';
import { writeRunRecord } from '../results/scores/run-record';
import { flatMetrics } from '../results/scores/metric';
import { readScores } from '../results/scores/scores-file';
import { within } from '../support/within';
import { InARow } from './absences';
import { attempt, type Attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure, notReady } from './failures';
import { buildRunRecord } from './run-record';
import { fetchFolder, NotHome, removeFolder } from '../results/transfer/task-storage';
import { fitWords, unspeakable } from './wording';

/** Metrics beyond this many stay in `results.yml` only: workflow history is no place for thousands of numbers. */
export const maxMetrics = 200;
/** Characters of a metric's name; one that is longer is no name, and stays in `results.yml` too. */
const longestMetric = 200;
/** Bytes of JSON that one task's metrics may take in its history and its run's: those of a thousand tasks must fit there. */
const maxMetricBytes = 12_000;
/** Attempts at a folder whose content changes, or has names that are not safe, before its storage is kept instead. */
const unusableAttempts = 4;
/** Attempts whose helper jobs got nowhere, where there is no storage API: each makes up to three. */
const helpersFailed = new InARow(3);

/** Bringing results home, and removing what they lay in. */
export function createResultActivities(dependencies: ActivityDependencies) {
  const marksFor = ({ invocation, index }: Owner) => ({ invocation, index, origin: dependencies.origin });

  return {
    /**
     * Brings the task's storage folder home, checked and resumable, and reads its scores. `metrics: null`: there is no
     * results.yml. Whatever keeps the rest from coming home (its size, its depth, the time): once the scores are there, that
     * is no failure, and `incomplete` says so.
     */
    async fetchResults(input: FetchResultsInput): Promise<FetchedResults> {
      const subject = `results of task ${input.index}`;
      try {
        return await attempt({ subject, purpose: 'reading' }, async (look) => {
          const platform = await dependencies.platform(input.platform);
          const { progress: onProgress } = look;
          const context = { platform, marks: marksFor(input), secrets: unspeakable(), onProgress };
          const fetched = await inItsTime(subject, look, (signal) => fetchFolder(input, { ...context, signal })).catch(
            (error: unknown) => {
              // Something may still be writing there, or room be made; what stays unusable is given up.
              const why = error instanceof UnusableFolder ? error.message : whyNotWritable(error, input.target);
              if (why !== undefined && look.attempt >= unusableAttempts)
                throw finalFailure(failureTypes.resultsUnusable, `${subject}: ${why}`);
              if (isOfHelpers(error) && helpersFailed.isReached(look.activity, true))
                throw finalFailure(failureTypes.resultsUnusable, `${subject}: ${error.message}`);
              throw error;
            },
          );
          if (!fetched) return { found: 'absent', files: 0, bytes: 0, metrics: null, notes: [], incomplete: null };
          const { files, bytes } = fetched;
          const incomplete = fetched.incomplete && fitWords(fetched.incomplete);
          const home = await readHome(input, { mayBeAll: incomplete === null });
          const found = incomplete === null ? 'home' : 'partly';
          return { ...home, found, notes: [...home.notes, ...skippedNote(fetched)], files, bytes, incomplete };
        });
      } catch (failure) {
        if (!(failure instanceof ApplicationFailure) || failure.nonRetryable !== true) throw failure;
        const home = await homeInSpite(input, failure);
        return { ...home, found: 'partly', files: 0, bytes: 0, incomplete: fitWords(failure.message) };
      }
    },

    /** Looks once and resolves when the folder is gone; until then removes it, and throws NotReady. */
    async removeStorage(input: RemoveStorageInput): Promise<void> {
      const folder = input.folder === null ? input.storage.path : path.posix.join(input.storage.path, input.folder);
      const subject = `storage ${folder}`;
      await attempt({ subject, purpose: 'teardown' }, async ({ activity, signal, elapsedMs, progress: onProgress }) => {
        // Last line of defence for the user's own data: only what carries this run's id is ever removed.
        if (!folder.split('/').includes(input.invocation)) {
          throw finalFailure(
            failureTypes.requestRefused,
            `storage ${folder} does not carry the run's id and is left alone`,
          );
        }
        const platform = await dependencies.platform(input.platform);
        const context = { platform, marks: marksFor(input), secrets: [], signal, onProgress };
        const isGone = await removeFolder(input, context).catch((error: unknown) => {
          if (error instanceof NotHome) throw finalFailure(failureTypes.resultsNotHome, error.message);
          if (isOfHelpers(error) && helpersFailed.isReached(activity, true))
            throw finalFailure(failureTypes.platformUnavailable, `storage ${folder}: ${error.message}`);
          throw error;
        });
        if (isGone) return;
        throw notReady(`storage ${folder} is being removed`, goneDelayMs({ elapsedMs, platform: platform.pace }));
      });
    },

    /**
     * Writes `run.json` beside the results, or, where that can't be, into this host's home, and forgets the run's secrets,
     * unless they are to be masked in what comes home later: the last activity of every run.
     */
    async recordRun(input: RecordRunInput): Promise<void> {
      await attempt({ subject: `record of run ${input.run.invocation}`, purpose: 'teardown' }, async () => {
        const record = await buildRunRecord(input, dependencies.runsFolder);
        try {
          await writeRunRecord(input.run.outputDir, record).catch(async (error: unknown) => {
            if (localFault(error) === undefined) throw error;
            await writeRunRecord(path.join(dependencies.runsFolder, input.run.invocation), record);
          });
        } finally {
          if (!mayComeHome(input.snapshot)) await dependencies.forgetHostSecrets(input.run.invocation);
        }
      });
    },
  };
}

const isOfHelpers = (error: unknown): error is HelperJobFailed | IncompleteCollection =>
  error instanceof HelperJobFailed || error instanceof IncompleteCollection;

function whyNotWritable(error: unknown, target: string): string | undefined {
  const fault = localFault(error);
  return fault && `${fault.path ?? target} can't be written: ${fault.reason}; what the job wrote is kept in storage`;
}

/** Of the time that an attempt has, the part for bringing files home: the rest is for saying what came of it. */
const partForFiles = 0.8;
/** Milliseconds that work whose time is over gets to end by itself; a file system that hangs does not. */
const graceMs = 3_000;

/** Fails for good, instead of being cut off without a word, when the activity's time is about to end. */
async function inItsTime<T>(
  subject: string,
  { signal, elapsedMs }: Attempt,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { scheduleToCloseTimeoutMs: total, startToCloseTimeoutMs: each } = Context.current().info;
  const left = Math.min(total > 0 ? total - elapsedMs : Infinity, each > 0 ? each : Infinity, longestTimerMs);
  const ms = Math.max(0, left * partForFiles);
  const beginAt = Date.now();
  const isOver = (): boolean => !signal.aborted && Date.now() - beginAt >= ms;
  const late = () =>
    finalFailure(
      failureTypes.resultsUnusable,
      `${subject}: not all of it came home in its time (execution.teardown_timeout): it was given up after ${Math.round((Date.now() - beginAt) / 1000)} s`,
    );
  try {
    return await within({ ms, signal }, (bounded) => Promise.race([work(bounded), abandoned(bounded)]));
  } catch (error) {
    throw isOver() ? late() : error;
  }
}

/** Longest delay that a timer of Node takes, milliseconds. */
const longestTimerMs = 2_147_483_647;

/** Rejects some time after the signal, for work that does not heed it. */
function abandoned(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => void setTimeout(() => reject(signal.reason as Error), graceMs).unref(), {
      once: true,
    });
  });
}

function skippedNote({ skipped }: FetchedFolder): string[] {
  if (skipped.length === 0) return [];
  const more = skipped.length > 5 ? ` and ${skipped.length - 5} more` : '';
  return [fitWords(`Not brought home (execution.skip_results): ${skipped.slice(0, 5).join(', ')}${more}.`)];
}

type Home = Pick<FetchedResults, 'metrics' | 'metricsTotal' | 'interrupted' | 'notes'>;

/** What the files at home say. `mayBeAll`: nothing else is left in storage. */
async function readHome(input: FetchResultsInput, { mayBeAll }: { readonly mayBeAll: boolean }): Promise<Home> {
  const scores = await readScoresOf(input, mayBeAll);
  const ownNotes = await readNotes(input.target);
  const all = scores && Object.entries(flatMetrics(scores.metrics));
  return {
    metrics: all ? fitMetrics(all) : null,
    ...(all ? { metricsTotal: all.length } : {}),
    ...((await isInterrupted(input.target)) ? { interrupted: true } : {}),
    notes: [...(scores?.notes ?? []), ...ownNotes].map(fitWords),
  };
}

/** What is home although the fetch failed; throws that failure when there are no scores. */
async function homeInSpite(input: FetchResultsInput, failure: ApplicationFailure): Promise<Home> {
  if (failure.type === failureTypes.resultsInvalid) throw failure;
  const home = await readHome(input, { mayBeAll: false }).catch(() => undefined);
  if (!home?.metrics) throw failure;
  return home;
}

async function readScoresOf(input: FetchResultsInput, mayBeAll: boolean): ReturnType<typeof readScores> {
  try {
    return await readScores(input.target);
  } catch (error) {
    if (!(error instanceof MalformedResults)) throw error;
    const file = path.join(input.target, 'results.yml');
    throw finalFailure(
      mayBeAll ? failureTypes.resultsInvalid : failureTypes.resultsUnusable,
      `results of task ${input.index}: ${file} can't be read: ${error.message}`,
    );
  }
}

/** The first ones, as many as history takes. Pure. */
export function fitMetrics(all: readonly (readonly [string, number | string])[]): Record<string, number | string> {
  const kept: (readonly [string, number | string])[] = [];
  let bytes = 0;
  for (const [name, value] of all) {
    if (name.length > longestMetric) continue;
    bytes += Buffer.byteLength(JSON.stringify([name, value]));
    if (kept.length === maxMetrics || bytes > maxMetricBytes) break;
    kept.push([name, value]);
  }
  return Object.fromEntries(kept);
}
