import type { MetricDetail, Metrics } from '../metric';
import type { EarlierTask, StoragePlan } from '../plan';
import type { NamedEndpoint } from './endpoint';
import type { EvaluationJob } from './job';
import type { Owner } from './owner';

/** Arguments and results of activities for results, logs and storage. */

export interface FetchResultsInput extends Owner {
  readonly storage: StoragePlan;
  readonly job: EvaluationJob;
  readonly folder: string;
  /** Place of the task's results: see `contract/results-place.ts`. */
  readonly target: string;
  readonly maxBytes: number;
  /** Names of files and folders that are not fetched on purpose; absent: the default ones. */
  readonly skip?: readonly string[];
  /** The job that wrote them is known to have ended, and to be the only one. */
  readonly isSettled?: boolean;
  /** That job was told to pack them into an archive, which is read first. Absent: file by file. */
  readonly isPacked?: true;
  /** The task did not succeed: what its evaluator has cached comes home, too, so that a retry asks only the rest. */
  readonly keepCaches?: boolean;
}

export interface FetchedResults {
  /**
   * `absent`: a GET and the listing both say that the folder doesn't exist; `partly`: see `incomplete`. Missing from older workers.
   */
  readonly found?: 'home' | 'partly' | 'absent';
  readonly files: number;
  readonly bytes: number;
  /** `null`: there is no `results.yml`. */
  readonly metrics: Metrics | null;
  /** See `MetricPayload`. Absent: of an older worker, or there are no metrics. */
  readonly metricDetails?: readonly MetricDetail[];
  /** How many there are in `results.yml`; `metrics` holds only as many as fit into a history. Missing from older workers. */
  readonly metricsTotal?: number;
  /** SHA-256 of the `results.yml` at home, in hexadecimal digits: the file has the metrics that don't fit. Missing as `metricsTotal`. */
  readonly resultsDigest?: string;
  /** The job's marker says that it was interrupted: the results cover only some samples. */
  readonly interrupted?: boolean;
  readonly notes: readonly string[];
  /** Why not everything was fetched (too large, nested too deep, no time left, …); `null`: everything was. */
  readonly incomplete: string | null;
}

/** For `takeOverResults`. */
export interface TakeOverInput extends Owner {
  readonly from: EarlierTask;
  /** Place of the task's results. */
  readonly target: string;
}

/** For `restoreCaches`. */
export interface RestoreCachesInput extends Owner {
  readonly from: EarlierTask;
  readonly storage: StoragePlan;
  readonly folder: string;
}

export interface SaveLogInput extends Owner {
  readonly name: string;
  readonly id: string | null;
  /** See `NamedJob`. */
  readonly furtherNames?: readonly string[];
  /** Place of the file: see `contract/results-place.ts`. */
  readonly target: string;
  /**
   * Name of the file beside the target that an earlier step has saved this log to, if it did: that one is renamed first. Absent:
   * there is none.
   */
  readonly insteadOf?: string;
}

export interface RemoveStorageInput extends Owner {
  readonly storage: StoragePlan;
  readonly job: EvaluationJob;
  /** Folder below the storage path; `null`: the whole folder of the run. */
  readonly folder: string | null;
  /**
   * What must not exist, because it has not been fetched: the folder itself, or task folders in it. If it exists, nothing is
   * removed, and the call fails with `ResultsNotHome`. Default: everything may be removed.
   */
  readonly mustLack?: 'itself' | 'task folders';
  /**
   * Names that may be in the folder. If it holds any other file, nothing is removed, and the call fails with `ResultsNotHome`.
   * Absent: anything. Older workers know only `mustLack`.
   */
  readonly expected?: readonly string[];
}

/** For `bringHome`: the results, and the log of the job that wrote them. */
export interface BringHomeInput extends FetchResultsInput {
  readonly log: Pick<SaveLogInput, 'target'> & { readonly id: string };
  /** An endpoint whose deletion was accepted, to be seen gone meanwhile. Absent: another activity does that. */
  readonly releasedEndpoint?: NamedEndpoint;
}

export interface BroughtHome {
  /** `note`: for the user; see `saveJobLog`. */
  readonly log: { readonly isSaved: boolean; readonly note: string | null };
  readonly results: FetchedResults;
  /** When the released endpoint was seen gone, with its token, ISO 8601. Absent: not yet. */
  readonly endpointGoneAt?: string;
}

export interface RemoveJobAndStorageInput extends RemoveStorageInput {
  /** The platform's id of the job. */
  readonly id: string;
}
