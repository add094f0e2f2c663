import type { EndpointPlan, JobSpec, PlatformRef, ProbeSpec, RunPlan, StoragePlan, TaskPlan } from './plan';
import type { MetricDetail, Metrics } from './metric';
import type { RunSnapshot } from './state';
import type { Verdict } from './verdict';

/** What all tasks of a run share. */
export type RunHeader = Omit<RunPlan, 'tasks'>;

export interface RunInput {
  readonly plan: RunPlan;
  /** Whether the cluster has our search attributes; an upsert of an unknown one would stall the workflow. */
  readonly searchAttributes: boolean;
}

export interface TaskInput {
  readonly run: RunHeader;
  readonly task: TaskPlan;
  /** How many progress signals the task may send to its run, besides those that are always sent; see workflows/signal-budget.ts. */
  readonly news?: number;
}

/** Whose resources an activity works on. */
export interface Owner {
  readonly platform: PlatformRef;
  readonly invocation: string;
  readonly index: number;
}

export interface CreateEndpointInput extends Owner {
  readonly name: string;
  readonly spec: Extract<EndpointPlan, { kind: 'dedicated' }>['spec'];
}

export interface AwaitReadyInput extends Owner {
  readonly name: string;
  readonly probe: ProbeSpec;
  /** For the wording of messages and the pace of looking. */
  readonly deadlineSeconds: number;
}

export interface ProbeExistingInput extends Owner {
  readonly url: string;
  readonly probe: ProbeSpec;
}

export interface NamedEndpoint extends Owner {
  readonly name: string;
}

export interface WatchEndpointInput extends NamedEndpoint {
  readonly probe: ProbeSpec;
  /** Seconds without a request after which the platform scales it to zero; `null`: it does not. */
  readonly noTrafficSeconds: number | null;
  /** Seconds for which it may be away at a stretch before it counts as dead. */
  readonly awaySeconds: number;
  /** What goes on meanwhile, for messages: `while its job ran`. */
  readonly during: string;
}

export interface ServingInput extends Owner {
  /** `null`: an endpoint of the user's. */
  readonly name: string | null;
  /** Full request URL. */
  readonly url: string;
  readonly probe: ProbeSpec;
}

export interface SubmitJobInput extends Owner {
  readonly name: string;
  readonly spec: JobSpec;
  readonly modelUrl: string;
}

export interface NamedJob extends Owner {
  readonly name: string;
  /** The platform's id, where it is known; otherwise the job is found by its name and marks. */
  readonly id: string | null;
}

/** The evaluation job of a task: where its storage can only be reached by jobs, ours look like it. */
export interface EvaluationJob {
  readonly name: string;
  readonly spec: JobSpec;
}

export interface FetchResultsInput extends Owner {
  readonly storage: StoragePlan;
  readonly job: EvaluationJob;
  readonly folder: string;
  /** Absolute, on the worker's machine. */
  readonly target: string;
  readonly maxBytes: number;
  /** Names that stay behind on purpose; absent: the default ones. */
  readonly skip?: readonly string[];
}

export interface FetchedResults {
  /**
   * `absent`: two witnesses say that there is no such folder; `partly`: see `incomplete`. Absent in results of older workers.
   */
  readonly found?: 'home' | 'partly' | 'absent';
  readonly files: number;
  readonly bytes: number;
  /** `null`: there is no `results.yml`. */
  readonly metrics: Metrics | null;
  /** See `MetricPayload`. Absent: of an older worker, or there are no metrics. */
  readonly metricDetails?: readonly MetricDetail[];
  /** Of `results.yml`; of more than a history takes, `metrics` holds the first ones. Absent: of an older worker. */
  readonly metricsTotal?: number;
  /** The job's marker says that it was interrupted: the results are those of some samples. Absent: no. */
  readonly interrupted?: boolean;
  readonly notes: readonly string[];
  /** Why not everything is home (too large, too deep, no time left, …); `null`: everything is. */
  readonly incomplete: string | null;
}

export interface SaveLogInput extends Owner {
  readonly name: string;
  readonly id: string | null;
  /** Absolute path of the file. */
  readonly target: string;
}

export interface RemoveStorageInput extends Owner {
  readonly storage: StoragePlan;
  readonly job: EvaluationJob;
  /** Folder below the storage path; `null`: the run's whole folder. */
  readonly folder: string | null;
  /**
   * What must not be there, since it has not come home: the folder itself, or folders of tasks in it. Where it is, nothing is
   * removed, and the call fails with `ResultsNotHome`. Default: all that is there may go.
   */
  readonly mustLack?: 'itself' | 'task folders';
}

/** What `run.json` is made of when a run ends. */
export interface RecordRunInput {
  readonly run: Omit<RunHeader, 'endpoint'>;
  readonly snapshot: RunSnapshot;
  readonly outcome: Verdict;
}
