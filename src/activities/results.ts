import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Context } from '@temporalio/activity';
import { failureTypes } from '../contract/errors';
import type {
  FetchedResults,
  FetchResultsInput,
  Owner,
  RecordRunInput,
  RemoveStorageInput,
  SaveLogInput,
} from '../contract/inputs';
import type { Metrics } from '../contract/state';
import { ResultsTooLarge, type FetchProgress } from '../results/fetch';
import { saveLog } from '../results/logs';
import { readNotes } from '../results/notes';
import { longestText, metricsWithErrors, parseResults } from '../results/parse';
import { UnusableFolder } from '../results/remote-tree';
import { writeRunRecord } from '../results/run-record';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure, goneDelayMs, notReady } from './failures';
import { buildRunRecord } from './run-record';
import { fetchFolder, removeFolder } from './task-storage';
import { fitWords, unspeakable } from './wording';

/** Metrics beyond this many stay in `results.yml` only: workflow history is no place for thousands of numbers. */
export const maxMetrics = 200;
/** Characters of a metric's name; one that is longer is no name, and stays in `results.yml` too. */
const longestMetric = 200;
/** Bytes of one log that are brought home; beyond it the middle is left out. */
const maxLogBytes = 64 * 1024 * 1024;
/** Attempts at a folder whose content changes, or has names that are not safe, before its storage is kept instead. */
const unusableAttempts = 4;

/** Bringing results and logs home, and removing what they lay in. */
export function createResultActivities(dependencies: ActivityDependencies) {
  const marksFor = ({ invocation, index }: Owner) => ({ invocation, index, origin: dependencies.origin });

  return {
    /**
     * Brings the task's storage folder home, checked and resumable, and reads its scores. `metrics: null`: there is no
     * results.yml. Beyond the size limit what fits is home, and `incomplete` says so.
     */
    async fetchResults(input: FetchResultsInput): Promise<FetchedResults> {
      const subject = `results of task ${input.index}`;
      return attempt({ subject, purpose: 'step' }, async ({ signal, attempt: number }) => {
        const platform = await dependencies.platform(input.platform);
        const onProgress = (progress: FetchProgress) => Context.current().heartbeat(progress);
        const fetched = await fetchFolder(input, {
          platform,
          marks: marksFor(input),
          secrets: unspeakable(),
          signal,
          onProgress,
        }).catch((error: unknown) => {
          if (error instanceof ResultsTooLarge) return error;
          // Something may still be writing there; a folder that stays unusable is given up.
          if (error instanceof UnusableFolder && number >= unusableAttempts)
            throw finalFailure(failureTypes.resultsUnusable, `${subject}: ${error.message}`);
          throw error;
        });
        if (!fetched) return { files: 0, bytes: 0, metrics: null, notes: [], incomplete: null };
        const home = { metrics: await readMetrics(input), notes: (await readNotes(input.target)).map(fitWords) };
        if (fetched instanceof ResultsTooLarge) return { ...home, files: 0, bytes: 0, incomplete: fetched.message };
        return { ...home, files: fetched.files, bytes: fetched.bytes, incomplete: null };
      });
    },

    /** Saves the endpoint's log so far. */
    async saveEndpointLog(input: SaveLogInput): Promise<void> {
      await attempt({ subject: `log of endpoint ${input.name}`, purpose: 'step' }, async ({ signal }) => {
        const { client } = await dependencies.platform(input.platform);
        for (const [position, replica] of (await client.deploymentReplicas(input.name, { signal })).entries()) {
          const source = (ended: AbortSignal) => client.deploymentLog(input.name, replica.id, { signal: ended });
          await saveReplicaLog({ source, target: input.target, position, signal });
        }
      });
    },

    /** Saves the job's log so far. */
    async saveJobLog(input: SaveLogInput): Promise<void> {
      await attempt({ subject: `log of job ${input.name}`, purpose: 'step' }, async ({ signal }) => {
        const { id } = input;
        if (id === null) return;
        const { client } = await dependencies.platform(input.platform);
        for (const [position, replica] of (await client.jobReplicas(id, { signal })).entries()) {
          const source = (ended: AbortSignal) => client.jobLog(id, replica.id, { signal: ended });
          await saveReplicaLog({ source, target: input.target, position, signal });
        }
      });
    },

    /** Looks once and resolves when the folder is gone; until then removes it, and throws NotReady. */
    async removeStorage(input: RemoveStorageInput): Promise<void> {
      const folder = input.folder === null ? input.storage.path : path.posix.join(input.storage.path, input.folder);
      await attempt({ subject: `storage ${folder}`, purpose: 'teardown' }, async ({ signal }) => {
        // Last line of defence for the user's own data: only what carries this run's id is ever removed.
        if (!folder.split('/').includes(input.invocation)) {
          throw finalFailure(
            failureTypes.requestRefused,
            `storage ${folder} does not carry the run's id and is left alone`,
          );
        }
        const platform = await dependencies.platform(input.platform);
        const onProgress = (progress: FetchProgress) => Context.current().heartbeat(progress);
        if (await removeFolder(input, { platform, marks: marksFor(input), secrets: [], signal, onProgress })) return;
        throw notReady(`storage ${folder} is being removed`, goneDelayMs[platform.pace]);
      });
    },

    /** Writes `run.json` beside the results, and forgets the run's secrets: the last activity of every run. */
    async recordRun(input: RecordRunInput): Promise<void> {
      await attempt({ subject: `record of run ${input.run.invocation}`, purpose: 'teardown' }, async () => {
        await writeRunRecord(input.run.outputDir, await buildRunRecord(input, dependencies.runsFolder));
        await dependencies.forgetHostSecrets(input.run.invocation);
      });
    },
  };
}

async function readMetrics(input: FetchResultsInput): Promise<Metrics | null> {
  const file = path.join(input.target, 'results.yml');
  let text: string;
  try {
    const { size } = await stat(file);
    if (size > longestText)
      throw finalFailure(
        failureTypes.resultsInvalid,
        `results of task ${input.index}: ${file} has ${size} bytes, and no results.yml has more than ${longestText}`,
      );
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const all = Object.entries(metricsWithErrors(parseResults(text)));
    return Object.fromEntries(all.filter(([name]) => name.length <= longestMetric).slice(0, maxMetrics));
  } catch (error) {
    throw finalFailure(
      failureTypes.resultsInvalid,
      `results of task ${input.index}: ${file} can't be read: ${(error as Error).message}`,
    );
  }
}

async function saveReplicaLog(replica: {
  readonly source: (ended: AbortSignal) => AsyncIterable<Uint8Array>;
  readonly target: string;
  readonly position: number;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { source, target, position, signal } = replica;
  const file = numbered(target, position);
  await saveLog({ source, file, maxBytes: maxLogBytes, signal, secrets: unspeakable() });
}

/** `logs/job.log`, and for further replicas `logs/job.1.log`. */
function numbered(file: string, position: number): string {
  if (position === 0) return file;
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}.${position}${ext}`);
}
