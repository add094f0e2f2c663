import type { Claim, Finding } from '../endpoint-quota';
import type { ExportPlan } from '../export';
import type { Pattern } from '../packed';
import type { RunPlan, TaskPlan } from '../plan';
import type { SentSnapshot } from '../sent-snapshot';
import type { Verdict } from '../verdict';
import type { Owner } from './owner';

/** Arguments and results of a run's workflow and of the activities for a run. */

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
  /**
   * A further batch begins when fewer tasks than this are about to create their endpoint. Absent: all batches begin at once, as in
   * older builds.
   */
  readonly mostBeginning?: number;
  /** What a worker must find before anything is created. Absent: of a run that an older build began. */
  readonly preflight?: Preflight;
}

/** One execution of a run's workflow. */
export interface RunExecution {
  /** Temporal's id of it. */
  readonly runId: string;
}

export interface RunWords {
  readonly owner: string;
  readonly model: string;
  readonly tasks: number;
  readonly name?: string;
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

export interface PreflightInput extends Owner {
  readonly expected: Preflight;
  /** Where results will be written: see `resultsPlaceOf`. */
  readonly place: string;
  /** What the worker's log says of the run. Absent: of a run that an older build began. */
  readonly about?: RunWords;
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
