import type { BringHomeInput, BroughtHome, FetchResultsInput, RemoveJobAndStorageInput } from '../contract/inputs';
import type { createJobActivities } from './jobs';
import type { createLogActivities } from './logs';
import type { createResultActivities } from './results';

interface Parts {
  readonly jobs: Pick<ReturnType<typeof createJobActivities>, 'removeJob'>;
  readonly logs: Pick<ReturnType<typeof createLogActivities>, 'saveJobLog'>;
  readonly results: Pick<ReturnType<typeof createResultActivities>, 'fetchResults' | 'removeStorage'>;
}

/**
 * Activities that do what others do one after the other, in fewer steps of a task's history. Where one of them fails, its caller
 * turns to those others, which say which part it was.
 */
export const createMergedActivities = ({ jobs, logs, results }: Parts) => ({
  /** Saves the job's log, then fetches its results. A log that can't be saved does not keep the results away. */
  async bringHome({ log, ...input }: BringHomeInput): Promise<BroughtHome> {
    const owner = { platform: input.platform, invocation: input.invocation, index: input.index };
    const saved = await logs.saveJobLog({ ...owner, name: input.job.name, ...log }).then(
      (note) => ({ isSaved: true, note }),
      () => ({ isSaved: false, note: null }),
    );
    const fetched = await results.fetchResults(input satisfies FetchResultsInput);
    return { log: saved, results: fetched };
  },

  /** Removes the job and, once it is gone, the storage folder it wrote to; resolves once both are gone. */
  async removeJobAndStorage({ id, ...input }: RemoveJobAndStorageInput): Promise<void> {
    const { platform, invocation, index, job } = input;
    await jobs.removeJob({ platform, invocation, index, name: job.name, id });
    await results.removeStorage(input);
  },
});
