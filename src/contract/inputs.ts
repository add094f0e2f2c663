import type { Claim, Finding } from './endpoint-quota';
import type { JobAttempt } from './job-attempts';
import type {
  EarlierTask,
  EndpointPlan,
  JobSpec,
  PlatformRef,
  ProbeSpec,
  RunPlan,
  SharedEndpointPlan,
  StoragePlan,
  TaskPlan,
} from './plan';
import type { ExportPlan } from './export';
import type { MetricDetail, Metrics } from './metric';
import type { Packed, Pattern } from './packed';
import type { SentSnapshot } from './sent-snapshot';
import type { SharedState, Usage } from './state';
import type { Verdict } from './verdict';

/** The part of the plan that all tasks share. */
export type RunHeader = Omit<RunPlan, 'tasks'>;

/** First argument of a run. Further ones are the rows of `pattern`, in parts of moderate size. */
export interface RunInput {
  /** Without tasks where there is a `pattern`. */
  readonly plan: RunPlan;
  /** Absent: all tasks are in the plan. */
  readonly pattern?: Pattern<TaskPlan>;
  /** Whether the cluster has our search attributes. An upsert of an unknown one would stall the workflow. */
  readonly searchAttributes: boolean;
  /** See `TaskInput`. Absent: of an older build. */
  readonly course?: 'quiet';
  /** Its tasks are run by batches. Only with a `pattern`. */
  readonly isBatched?: true;
  /** Its batches keep the snapshots of their tasks, which its own result then lacks. Absent: of an older build. */
  readonly keepsResultsInBatches?: true;
  /** What a worker must find before anything is created. Absent: of a run that an older build began. */
  readonly preflight?: Preflight;
}

/** What a run expects of the workers that serve it. */
export interface Preflight {
  /** Host variables whose values a worker must know by itself. */
  readonly variables: readonly string[];
  /**
   * Digest of the machine on whose disk results are to arrive, if any worker of the run's task queue writes them. Absent: they go
   * to a store, or the launching home's own worker writes them.
   */
  readonly machine?: string;
  /** Endpoints that the run can only use together. Absent: any number is of use. */
  readonly endpointsTogether?: number;
  /** Of these, endpoints that tasks share. Absent: none. */
  readonly sharedEndpoints?: number;
}

/** What a worker says before a run creates anything. Older workers return nothing. */
export interface Admission {
  /** Endpoints that may exist at the same time, of all runs of the task queue; absent: any number. */
  readonly maxEndpoints?: number;
}

export interface ClaimEndpointsInput extends Owner {
  readonly claim: Claim;
  /** The run's own. */
  readonly taskQueue: string;
}

export interface EndedRunsInput {
  readonly runs: readonly LookedForRun[];
}

/** A run with an account in a quota. */
export interface LookedForRun extends Pick<Claim, 'invocation' | 'tasks' | 'shared' | 'platform' | 'isOver'> {
  /** Endpoints that the quota counts. */
  readonly held: number;
  /** Names of those of its endpoints that were left behind. */
  readonly lost: readonly string[];
}

export interface EndedRuns {
  /** Only what changes something. */
  readonly findings: readonly Finding[];
  /** Of the worker that was asked; `null`: none. */
  readonly limit: number | null;
}

export interface PreflightInput extends Owner {
  readonly expected: Preflight;
  /** Where results will be written: see `resultsPlaceOf`. */
  readonly place: string;
  /** What the worker's log says of the run. Absent: of a run that an older build began. */
  readonly about?: RunWords;
}

export interface RunWords {
  readonly owner: string;
  readonly model: string;
  readonly tasks: number;
  readonly name?: string;
}

/** Input of a batch: consecutive tasks of a run with many. */
export interface BatchInput {
  /** Position among the run's batches, from 0. */
  readonly batch: number;
  readonly run: RunHeader;
  readonly tasks: Packed<TaskPlan>;
  readonly execution: RunExecution;
  readonly bounds: BatchBounds;
  /** Of the run's shared endpoints when the batch began. Absent: there are none. */
  readonly shared?: readonly SharedState[];
  /** It returns the snapshots of its tasks once the run says that it is over, or is cancelled. Absent: of an older build. */
  readonly keepsResults?: true;
}

/** What a batch may do; numbers only grow. */
export interface BatchBounds {
  /** Tasks with a lower index may start. */
  readonly start: number;
  /** How many of its tasks may run at the same time. */
  readonly places: number;
  /** Tasks with a lower index may submit their jobs. Without meaning for `as_ready`. */
  readonly open: number;
  /** All tasks of the run have ended: a batch that keeps results closes with it, so that Temporal keeps both for the same time. */
  readonly isOver?: true;
}

export interface TaskInput {
  readonly run: RunHeader;
  readonly task: TaskPlan;
  /**
   * Which course the task takes. `merged`: steps that always follow one another are one activity, and phases that pass in seconds
   * are not told to the run. `quiet`: also, activities tell the run of the task's progress, so that the task doesn't. Absent: of
   * a run that an older build began.
   */
  readonly course?: 'merged' | 'quiet';
  /** How many progress signals the task may send to its run, besides those that are always sent. See workflows/signal-budget.ts. */
  readonly news?: number;
  /** Of the run, for `quiet` tasks. */
  readonly execution?: RunExecution;
  /** Its parent understands one signal that says of several tasks that their endpoints are Ready. Absent: of an older build. */
  readonly toldTogether?: true;
}

/** Input of the workflow of a shared endpoint. */
export interface EndpointInput {
  readonly run: RunHeader;
  /** Its position in the plan's `sharedEndpoints`. */
  readonly position: number;
  readonly shared: SharedEndpointPlan;
  readonly execution: RunExecution;
}

/** One execution of a run's workflow. */
export interface RunExecution {
  /** Temporal's id of it. */
  readonly runId: string;
}

/** Whom an activity tells how its task is doing. */
export interface Listeners {
  /** The run's execution, which is told of all progress. */
  readonly run: string;
  /** Who waits for the endpoint to be Ready; absent: nobody. */
  readonly barrier?: Barrier;
}

/** The workflow that lets jobs start once all endpoints are Ready: of a batch, or of the run. */
export interface Barrier {
  readonly workflowId: string;
  readonly runId: string;
  /** See `TaskInput.toldTogether`. */
  readonly toldTogether?: true;
}

/** Whose resources an activity works on. */
export interface Owner {
  readonly platform: PlatformRef;
  readonly invocation: string;
  /** The task's; below 0: a shared endpoint's (`sharedIndex` in contract/identity.ts). */
  readonly index: number;
  /** Absent: the task itself tells its run. */
  readonly tell?: Listeners;
  /** Place of the run in its results store, where its sealed secrets lie; absent: it has none. */
  readonly secretsAt?: string;
}

export interface CreateEndpointInput extends Owner {
  readonly name: string;
  readonly spec: Extract<EndpointPlan, { kind: 'dedicated' }>['spec'];
}

export interface AwaitReadyInput extends Owner {
  readonly name: string;
  readonly probe: ProbeSpec;
  /** For messages and for the polling interval. */
  readonly deadlineSeconds: number;
  /** What the run shows after the endpoint's URL. Absent: nothing. */
  readonly endpointPath?: string;
}

/** For `awaitEndpointUrl`. */
export interface AwaitUrlInput extends Owner {
  readonly name: string;
}

export interface ProbeExistingInput extends Owner {
  readonly url: string;
  readonly probe: ProbeSpec;
}

export interface NamedEndpoint extends Owner {
  readonly name: string;
  /** Its token was made by evalsaga, and is removed with it. Absent: no. */
  readonly hasMadeToken?: boolean;
}

/** An endpoint that is gone. Older workers return nothing. */
export interface RemovedEndpoint {
  /** Why the secret with its made token could not be removed; absent: it is gone, or there is none. */
  readonly tokenLeft?: string;
}

export interface WatchEndpointInput extends NamedEndpoint {
  readonly probe: ProbeSpec;
  /** Seconds without a request after which the platform scales it to zero; `null`: never. */
  readonly noTrafficSeconds: number | null;
  /** Seconds for which it may be unavailable without interruption before it counts as failed. */
  readonly awaySeconds: number;
  /** What happens meanwhile, for messages: `while its job ran`. */
  readonly during: string;
}

export interface ServingInput extends Owner {
  /** `null`: an existing endpoint. */
  readonly name: string | null;
  /** Full request URL. */
  readonly url: string;
  readonly probe: ProbeSpec;
}

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

/** For `saveLogAndRemoveEndpoint`. */
export interface EndEndpointInput extends NamedEndpoint {
  /** Absolute path of the log's file. */
  readonly logTarget: string;
}

/** Source of `run.json` when a run ends. */
export interface RecordRunInput {
  readonly run: Omit<RunHeader, 'endpoint'>;
  /** Absent where it is large: the history would hold it twice, so the run itself is asked. */
  readonly snapshot?: SentSnapshot;
  readonly outcome: Verdict;
  /** For workers that don't have the plan. */
  readonly images?: TaskImages;
}

/** Image of the evaluation job → indices of the tasks that have it. */
export type TaskImages = Readonly<Record<string, readonly number[]>>;

/** For `exportRun`. */
export interface ExportRunInput extends RecordRunInput {
  readonly plan: ExportPlan;
}
