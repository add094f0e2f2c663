import { patched } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { failureTypes } from '../contract/failure-types';
import type { BringHomeInput, FetchedResults, RemoveStorageInput } from '../contract/inputs/results';
import type { TaskInput } from '../contract/inputs/task';
import { resultsPlaceOf } from '../contract/results-place';
import { keptByConfig, type KeptStorage, type TaskError } from '../contract/state';
import { longRunning, withFreshBudgets } from './activity-groups';
import { hasMadeToken } from './endpoint-token';
import { describeError } from './failures';
import type { TaskLogs } from './task-logs';
import { ownerOf } from './task-owner';

/** What came home of a task, and what was kept in storage because it did not. */
export interface ResultsHome {
  readonly results: FetchedResults | null;
  /** Why results that may exist could not be fetched. */
  readonly error: TaskError | null;
  readonly kept: readonly KeptStorage[];
}

interface FetchOptions {
  /** The job's id, if its log comes home along with the results. */
  readonly jobId: string | undefined;
  /** The job succeeded, as far as is known. */
  readonly hasSucceeded: boolean;
  /** The task's endpoint is being deleted and is to be seen gone meanwhile. */
  readonly isEndpointGoing: boolean;
}

/** The folder of a task's results, where its files are brought. */
export const outputDirOf = ({ run, task }: TaskInput): string => `${resultsPlaceOf(run)}/${task.folder}`;

/** What the removal of a task's storage folder needs to know. */
export const storageOf = (input: TaskInput): RemoveStorageInput & { readonly folder: string } => ({
  ...ownerOf(input),
  storage: input.run.storage,
  folder: input.task.folder,
  job: { name: input.task.jobName, spec: input.task.job },
});

/** Brings a task's results home. */
export class TaskResults {
  /** No results folder was found; one that appears later must not be removed. */
  wasAbsent = false;

  /** `onEndpointGone` is called once an endpoint that was going is seen gone. */
  constructor(
    private readonly input: TaskInput,
    private readonly around: { readonly logs: TaskLogs; readonly onEndpointGone: (at: string) => void },
  ) {}

  /** Fetches the results. Never rejects. */
  async fetch(options: FetchOptions): Promise<ResultsHome> {
    const { run, task } = this.input;
    try {
      const results = await withFreshBudgets(run.limits.teardownSeconds, (seconds) =>
        this.fetchWith(longRunning(`fetch results of task ${task.index}`, seconds), options),
      );
      this.wasAbsent = results.found === 'absent' || (results.found === undefined && results.files === 0);
      const reason = run.keepStorage && !this.isNothingThere ? keptByConfig : results.incomplete;
      return { results, error: null, kept: reason === null ? [] : [this.kept(reason)] };
    } catch (failure) {
      const error = describeError(failure);
      // Invalid results have still been fetched, so storage need not be kept.
      const home = error.type === failureTypes.resultsInvalid && !run.keepStorage;
      return { results: null, error, kept: home ? [] : [this.kept(error.message)] };
    }
  }

  /** 2026-11-29: until then a folder that is not there was said to be kept. */
  private get isNothingThere(): boolean {
    return this.wasAbsent && patched('only-what-is-there-is-kept');
  }

  /** Says of the task's storage why it is kept, and how to remove it. */
  kept(reason: string): KeptStorage {
    const { run, task } = this.input;
    return { path: `${run.storage.path}/${task.folder}`, reason, command: `evalsaga cleanup ${run.invocation}` };
  }

  private fetchWith(
    activities: Activities,
    { jobId, hasSucceeded, isEndpointGoing }: FetchOptions,
  ): Promise<FetchedResults> {
    const { run } = this.input;
    const input = {
      ...storageOf(this.input),
      target: outputDirOf(this.input),
      maxBytes: run.limits.resultBytes,
      ...(run.skipResults ? { skip: run.skipResults } : {}),
      ...(hasSucceeded ? {} : { keepCaches: true }),
      ...(hasSucceeded && run.packsResults ? { isPacked: true as const } : {}),
    };
    if (jobId === undefined) return activities.fetchResults(input);
    return this.bringHome(activities, { ...input, ...(isEndpointGoing ? this.goingEndpoint : {}) }, jobId);
  }

  /** Fetches the results and saves the log. A log that can't be saved along with them is saved by itself, with more patience. */
  private async bringHome(
    activities: Activities,
    input: Omit<BringHomeInput, 'log'>,
    id: string,
  ): Promise<FetchedResults> {
    const { logs, onEndpointGone } = this.around;
    const log = { id, target: logs.jobLog };
    const brought = await activities.bringHome({ ...input, log }).catch(async (failure: unknown) => {
      await logs.saveJobLog(id);
      throw failure;
    });
    const { log: saved, results, endpointGoneAt } = brought;
    if (endpointGoneAt !== undefined) onEndpointGone(endpointGoneAt);
    if (!saved.isSaved) await logs.saveJobLog(id);
    else if (saved.note) logs.notes.push(saved.note);
    return results;
  }

  private get goingEndpoint(): Pick<BringHomeInput, 'releasedEndpoint'> {
    const { run, task } = this.input;
    if (task.endpointName === null) return {};
    return { releasedEndpoint: { ...ownerOf(this.input), name: task.endpointName, ...hasMadeToken(run.endpoint) } };
  }
}
