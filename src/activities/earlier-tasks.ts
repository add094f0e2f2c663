import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { failureTypes } from '../contract/failure-types';
import type { FetchedResults, RestoreCachesInput, TakeOverInput } from '../contract/inputs/results';
import { LeptonError } from '../lepton/lepton-error';
import { copyEarlierResults } from '../results/store/earlier-results';
import { StoreError } from '../results/store/store-error';
import { withTarget } from '../results/store/target';
import { cachesFolder, restoreCaches } from '../results/transfer/caches';
import { hasStorageApi } from '../results/transfer/task-storage';
import { localFault } from '../support/local-fault';
import { messageOf } from '../support/error-message';
import { attempt } from './attempt';
import type { ActivityDependencies } from './dependencies';
import { finalFailure } from './failures';
import type { createResultActivities } from './results';

type ReadResults = ReturnType<typeof createResultActivities>['readResults'];

const isCache = (relative: string): boolean => relative.startsWith(`${cachesFolder}/`);

/** Activities of a run that goes on from an earlier one. */
export const createEarlierTaskActivities = (dependencies: ActivityDependencies, readResults: ReadResults) => ({
  /** Copies the results of a task that succeeded in an earlier run, verified, and reads its scores. */
  takeOverResults: ({ from, target: place, ...owner }: TakeOverInput): Promise<FetchedResults> =>
    attempt(
      { subject: `results of task ${from.index} of run ${from.invocation}`, purpose: 'reading' },
      async (look) => {
        const env = await dependencies.storeEnvironment();
        return withTarget(place, { staging: dependencies.stagingFolder, env }, async (target) => {
          const only = (relative: string): boolean => !isCache(relative);
          const copied = await copyEarlierResults(
            { ...from, env },
            { target: target.folder, only, signal: look.signal },
          ).catch((error: unknown) => {
            throw lasting(error, from.place);
          });
          await target.complete(look.signal);
          const read = await readResults({ ...owner, target: target.folder });
          if (read.metrics === null)
            throw finalFailure(
              failureTypes.resultsMissing,
              `${from.place}/${from.folder} has no results.yml any more: the task of run ${from.invocation} can't be taken over`,
            );
          return { ...read, found: 'home', files: copied.files, bytes: copied.bytes, incomplete: null };
        });
      },
    ),

  /** Puts what a task's evaluator had cached in an earlier run into the task's storage; returns how many files. */
  restoreCaches: ({ from, storage, folder, ...owner }: RestoreCachesInput): Promise<number> =>
    attempt({ subject: `caches of task ${owner.index}`, purpose: 'reading' }, async ({ signal }) => {
      const { client } = await dependencies.platform(owner.platform);
      if (!(await hasStorageApi(client))) return 0;
      const env = await dependencies.storeEnvironment();
      await mkdir(dependencies.stagingFolder, { recursive: true, mode: 0o700 });
      const copy = await mkdtemp(path.join(dependencies.stagingFolder, `${process.pid}-`));
      try {
        const { files } = await copyEarlierResults({ ...from, env }, { target: copy, only: isCache, signal }).catch(
          (error: unknown) => {
            throw lasting(error, from.place);
          },
        );
        if (files === 0) return 0;
        const source = path.join(copy, cachesFolder);
        const remote = path.posix.join(storage.path, folder);
        const request = { client, source, fileSystem: storage.fileSystem, path: remote, signal };
        return await restoreCaches(request).catch((error: unknown) => {
          if (error instanceof LeptonError || signal.aborted) throw error;
          throw finalFailure(failureTypes.resultsUnusable, messageOf(error));
        });
      } finally {
        await rm(copy, { recursive: true, force: true });
      }
    }),
});

/** A store that doesn't answer is asked again; files that are damaged or can't be read stay so. */
function lasting(error: unknown, place: string): unknown {
  const isLasting = localFault(error) !== undefined || (error instanceof StoreError && error.kind !== 'unavailable');
  return isLasting ? finalFailure(failureTypes.resultsUnusable, `${place}: ${messageOf(error)}`) : error;
}
