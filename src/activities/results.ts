import path from 'node:path';
import { failureTypes } from '../contract/errors';
import type { FetchedResults, FetchResultsInput, Owner, RecordRunInput, RemoveStorageInput } from '../contract/inputs';
import { mayComeHome } from '../contract/state';
import { goneDelayMs } from '../lepton/retry-timing';
import { ResultsTooLarge } from '../results/fetch';
import { localFault } from '../results/local-fault';
import { isInterrupted, readNotes } from '../results/notes';
import { MalformedResults } from '../results/parse';
import { UnusableFolder } from '../results/remote-tree';
import { writeRunRecord } from '../results/run-record';
import { flatMetrics } from '../results/scores/metric';
import { readScores } from '../results/scores-file';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure, notReady } from './failures';
import { buildRunRecord } from './run-record';
import { fetchFolder, removeFolder } from './task-storage';
import { fitWords, unspeakable } from './wording';

/** Metrics beyond this many stay in `results.yml` only: workflow history is no place for thousands of numbers. */
export const maxMetrics = 200;
/** Characters of a metric's name; one that is longer is no name, and stays in `results.yml` too. */
const longestMetric = 200;
/** Bytes of JSON that one task's metrics may take in its history and its run's: those of a thousand tasks must fit there. */
const maxMetricBytes = 12_000;
/** Attempts at a folder whose content changes, or has names that are not safe, before its storage is kept instead. */
const unusableAttempts = 4;

/** Bringing results home, and removing what they lay in. */
export function createResultActivities(dependencies: ActivityDependencies) {
  const marksFor = ({ invocation, index }: Owner) => ({ invocation, index, origin: dependencies.origin });

  return {
    /**
     * Brings the task's storage folder home, checked and resumable, and reads its scores. `metrics: null`: there is no
     * results.yml. Beyond the size limit what fits is home, and `incomplete` says so.
     */
    async fetchResults(input: FetchResultsInput): Promise<FetchedResults> {
      const subject = `results of task ${input.index}`;
      return attempt({ subject, purpose: 'reading' }, async ({ signal, attempt: number, progress: onProgress }) => {
        const platform = await dependencies.platform(input.platform);
        const fetched = await fetchFolder(input, {
          platform,
          marks: marksFor(input),
          secrets: unspeakable(),
          signal,
          onProgress,
        }).catch((error: unknown) => {
          if (error instanceof ResultsTooLarge) return error;
          // Something may still be writing there, or room be made; what stays unusable is given up.
          const why = error instanceof UnusableFolder ? error.message : whyNotWritable(error, input.target);
          if (why !== undefined && number >= unusableAttempts)
            throw finalFailure(failureTypes.resultsUnusable, `${subject}: ${why}`);
          throw error;
        });
        if (!fetched) return { files: 0, bytes: 0, metrics: null, notes: [], incomplete: null };
        const home = await readHome(input);
        if (fetched instanceof ResultsTooLarge) return { ...home, files: 0, bytes: 0, incomplete: fetched.message };
        return { ...home, files: fetched.files, bytes: fetched.bytes, incomplete: null };
      });
    },

    /** Looks once and resolves when the folder is gone; until then removes it, and throws NotReady. */
    async removeStorage(input: RemoveStorageInput): Promise<void> {
      const folder = input.folder === null ? input.storage.path : path.posix.join(input.storage.path, input.folder);
      const subject = `storage ${folder}`;
      await attempt({ subject, purpose: 'teardown' }, async ({ signal, elapsedMs, progress: onProgress }) => {
        // Last line of defence for the user's own data: only what carries this run's id is ever removed.
        if (!folder.split('/').includes(input.invocation)) {
          throw finalFailure(
            failureTypes.requestRefused,
            `storage ${folder} does not carry the run's id and is left alone`,
          );
        }
        const platform = await dependencies.platform(input.platform);
        if (await removeFolder(input, { platform, marks: marksFor(input), secrets: [], signal, onProgress })) return;
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

function whyNotWritable(error: unknown, target: string): string | undefined {
  const fault = localFault(error);
  return fault && `${fault.path ?? target} can't be written: ${fault.reason}; what the job wrote is kept in storage`;
}

/** What the files at home say. */
async function readHome(
  input: FetchResultsInput,
): Promise<Pick<FetchedResults, 'metrics' | 'metricsTotal' | 'interrupted' | 'notes'>> {
  const scores = await readScoresOf(input);
  const ownNotes = await readNotes(input.target);
  const all = scores && Object.entries(flatMetrics(scores.metrics));
  return {
    metrics: all ? fitMetrics(all) : null,
    ...(all ? { metricsTotal: all.length } : {}),
    ...((await isInterrupted(input.target)) ? { interrupted: true } : {}),
    notes: [...(scores?.notes ?? []), ...ownNotes].map(fitWords),
  };
}

async function readScoresOf(input: FetchResultsInput): ReturnType<typeof readScores> {
  try {
    return await readScores(input.target);
  } catch (error) {
    if (!(error instanceof MalformedResults)) throw error;
    const file = path.join(input.target, 'results.yml');
    throw finalFailure(
      failureTypes.resultsInvalid,
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
