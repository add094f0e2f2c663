import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { failureTypes } from '../contract/failure-types';
import type { EndEndpointInput, NamedEndpoint } from '../contract/inputs/endpoint';
import type {
  BringHomeInput,
  BroughtHome,
  FetchResultsInput,
  RemoveJobAndStorageInput,
} from '../contract/inputs/results';
import type { createEndpointActivities } from './endpoints';
import { finalFailure } from './failures';
import type { createJobActivities } from './jobs';
import { noteOnGivenUp, type createLogActivities } from './logs';
import type { createResultActivities } from './results';
import type { createStorageRemoval } from './storage-removal';

interface Parts {
  readonly endpoints: Pick<ReturnType<typeof createEndpointActivities>, 'removeEndpoint'>;
  readonly jobs: Pick<ReturnType<typeof createJobActivities>, 'removeJob'>;
  readonly logs: Pick<ReturnType<typeof createLogActivities>, 'saveJobLog' | 'saveEndpointLog'>;
  readonly results: Pick<ReturnType<typeof createResultActivities>, 'fetchResults'>;
  readonly removal: ReturnType<typeof createStorageRemoval>;
  /** Resolves to the time when a released endpoint was seen gone, or to nothing when the signal aborts before. */
  readonly seesGone: (endpoint: NamedEndpoint, signal: AbortSignal) => Promise<string | undefined>;
}

/** Milliseconds for a look at the endpoint that is under way when the results are home. */
const lastLookMs = 500;

/** Notes on the logs of endpoints that are saved, or can't be, so that a removal that is tried again does not read them again. */
const logsDone = new Map<string, string | null>();

const activityKey = (): string => {
  const { workflowExecution, activityId } = Context.current().info;
  return `${workflowExecution?.runId}/${activityId}`;
};

/**
 * Activities that do what others do one after the other, in fewer steps of a task's history. Where one of them fails, its caller
 * turns to those others, which say which part it was.
 */
export const createMergedActivities = ({ endpoints, jobs, logs, results, removal, seesGone }: Parts) => ({
  /**
   * Saves the job's log, then fetches its results, and sees meanwhile whether its released endpoint is gone. A log that can't be saved
   * does not keep the results away, nor does an endpoint that takes its time to go.
   */
  async bringHome({ log, releasedEndpoint, ...input }: BringHomeInput): Promise<BroughtHome> {
    const done = new AbortController();
    const going = releasedEndpoint && seesGone(releasedEndpoint, done.signal);
    const owner = { platform: input.platform, invocation: input.invocation, index: input.index };
    const saved = await logs.saveJobLog({ ...owner, name: input.job.name, ...log }).then(
      (note) => ({ isSaved: true, note }),
      () => ({ isSaved: false, note: null }),
    );
    const fetched = await results
      .fetchResults({ ...input, isSettled: true } satisfies FetchResultsInput)
      .finally(() => done.abort(new Error('the results are home')));
    const endpointGoneAt = await Promise.race([going, sleep(lastLookMs, undefined, { ref: false })]);
    return { log: saved, results: fetched, ...(endpointGoneAt === undefined ? {} : { endpointGoneAt }) };
  },

  /**
   * Saves the endpoint's log, then removes the endpoint and resolves once it is gone; returns a note for the user, or `null`. A log that
   * can't be saved for good does not keep the endpoint.
   */
  async saveLogAndRemoveEndpoint({ logTarget, logInsteadOf, ...endpoint }: EndEndpointInput): Promise<string | null> {
    const activity = activityKey();
    const log = { target: logTarget, ...(logInsteadOf === undefined ? {} : { insteadOf: logInsteadOf }) };
    const note = logsDone.has(activity)
      ? (logsDone.get(activity) ?? null)
      : await logs.saveEndpointLog({ ...endpoint, ...log, id: null }).catch((error: unknown) => {
          const givenUp = noteOnGivenUp(endpoint, error);
          if (givenUp === undefined) throw error;
          return givenUp;
        });
    // Bounds memory: what is forgotten is only saved once more.
    if (logsDone.size > 10_000) logsDone.clear();
    logsDone.set(activity, note);
    const { tokenLeft } = await endpoints.removeEndpoint(endpoint);
    if (tokenLeft !== undefined) throw finalFailure(failureTypes.requestRefused, tokenLeft);
    return note;
  },

  /**
   * Removes a job that has ended, and the storage folder it wrote to, at the same time, since nothing writes there any more; resolves
   * once both are gone.
   */
  async removeJobAndStorage({ id, ...input }: RemoveJobAndStorageInput): Promise<void> {
    const { platform, invocation, index, job } = input;
    const removals = [
      jobs.removeJob({ platform, invocation, index, name: job.name, id }),
      removal.removeStorage(input),
    ] as const;
    await Promise.allSettled(removals);
    await Promise.all(removals);
  },
});
