import type { JobAttempt } from '../job-attempts';
import type { JobSpec } from '../plan';
import type { Usage } from '../state';
import type { WatchEndpointInput } from './endpoint';
import type { Owner } from './owner';

/** Arguments and results of activities for evaluation jobs. */

export interface SubmitJobInput extends Owner {
  readonly name: string;
  /** Its endpoint is not Ready yet: the job waits for it. Absent: it is. */
  readonly isEarly?: true;
  readonly spec: JobSpec;
  readonly modelUrl: string;
  /** Request URLs of shared endpoints, by variable of the job. Absent: it uses none. */
  readonly sharedUrls?: Readonly<Record<string, string>>;
  /** Which job of its task it is, and what the earlier ones cost. Absent: the first one. */
  readonly attempt?: JobAttempt;
  readonly earlierUsage?: readonly Usage[];
}

export interface AwaitJobInput extends NamedJob {
  readonly id: string;
  /** The job waits for its endpoint, which is awaited at the same time. Absent: the endpoint is Ready. */
  readonly isEarly?: true;
  /** The job's endpoint, to be watched as well; absent: `watchEndpoint` does that, or there is none of the run's own. */
  readonly endpoint?: WatchEndpointInput;
  /**
   * File for the endpoint's log, absolute: where it is given, the endpoint is released as soon as the job has completed. Only for
   * runs whose workers all share one home.
   */
  readonly endpointLog?: string;
  /**
   * Folder of the task's results. Where it is given, a completed job is looked at once more: if it says that it was interrupted, it
   * fails with `JobInterrupted`, and the endpoint stays.
   */
  readonly results?: { readonly fileSystem: string; readonly path: string };
  /** Where it may be told how far the job is, besides its log. Absent: of an older workflow, and the log alone is asked. */
  readonly progress?: ProgressSource;
}

/** A job that has completed. Older workers return nothing. */
export interface CompletedJob {
  /** The platform has accepted the deletion of its endpoint, whose log is saved. Absent: both are left to the teardown. */
  readonly released?: ReleasedEndpoint;
}

export interface ReleasedEndpoint {
  /** For the user; see `saveEndpointLog`. */
  readonly note: string | null;
}

/** The folder in storage that a job writes to, and what runs in it. */
export interface ProgressSource {
  /** As in `harness.task`. */
  readonly harness: string;
  readonly fileSystem: string;
  readonly folder: string;
}

export interface NamedJob extends Owner {
  readonly name: string;
  /** The platform's id; `null`: not known, and the job is found by its name and marks. */
  readonly id: string | null;
  /** Names of the task's other jobs, which begin with `name`; what is done to one is done to all. Absent: it has none. */
  readonly furtherNames?: readonly string[];
}

/** The evaluation job of a task. If storage can only be reached by jobs, our own jobs are modelled on it. */
export interface EvaluationJob {
  readonly name: string;
  readonly spec: JobSpec;
}
