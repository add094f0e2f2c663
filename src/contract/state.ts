/** Snapshots of runs and tasks: the one type behind queries, the Web UI's table, the CLI and its JSON. */

import type { JobProgress } from './job-progress';
import type { ExportReport } from './export';
import type { MetricDetail, Metrics } from './metric';
import { sharedIndex } from './identity';
import type { JobAttempt } from './job-attempts';
import type { BudgetPlan, RunPlan, SharedEndpointPlan, TaskPlan } from './plan';

export type TaskPhase =
  | 'pending'
  | 'creating endpoint'
  | 'awaiting ready'
  | 'ready'
  | 'submitting job'
  | 'running job'
  | 'fetching results'
  | 'tearing down'
  | 'done';

export type TaskOutcome = 'succeeded' | 'failed' | 'cancelled';

/** `waiting`: for endpoints that other runs have (`EVALSAGA_MAX_ENDPOINTS`). */
export type RunPhase = 'starting' | 'waiting' | 'deploying' | 'evaluating' | 'tearing down' | 'done';

/** Returns how many metrics of a task are not in its snapshot; `undefined`: not known. Pure. */
export const metricsLeftOut = ({ metrics, metricsTotal }: Pick<TaskSnapshot, 'metrics' | 'metricsTotal'>) =>
  metricsTotal === undefined ? undefined : Math.max(0, metricsTotal - Object.keys(metrics).length);

/** Why a task failed: `type` is part of the contract (see failure-types.ts), `message` is for people. */
export interface TaskError {
  readonly type: string;
  readonly message: string;
}

/** A resource that teardown could not remove. `secret`: of the workspace, with the token of an endpoint that is gone. */
export interface LeftResource {
  readonly kind: 'endpoint' | 'job' | 'storage' | 'secret';
  readonly name: string;
  readonly reason: string;
}

/** Storage that was kept on purpose, and the command that removes it. */
export interface KeptStorage {
  readonly path: string;
  readonly reason: string;
  readonly command: string;
}

/** Reason for keeping storage whose contents have all been fetched. */
export const keptByConfig = 'execution.keep_storage is set';

/** Whether storage is left that may still be fetched; masking it will need the run's secrets. Pure. */
export const hasStorageToFetch = ({ left, kept }: Pick<RunSnapshot, 'left' | 'kept'>): boolean =>
  left.some(({ kind }) => kind === 'storage') || kept.some(({ reason }) => reason !== keptByConfig);

/** When something existed on the platform, ISO 8601; `until: null`: it still does. */
export interface Span {
  readonly from: string;
  readonly until: string | null;
}

/** When a task's resources existed, for its cost: from the request to create until the removal is verified. */
export interface Usage {
  readonly endpoint: Span | null;
  readonly job: Span | null;
}

export interface TaskSnapshot {
  readonly index: number;
  readonly name: string;
  /** As in `TaskPlan`. */
  readonly model?: string;
  readonly endpointPerHour?: number;
  readonly phase: TaskPhase;
  /** Set with the verdict; teardown may still be under way. */
  readonly outcome: TaskOutcome | null;
  readonly endpoint: string | null;
  readonly endpointUrl: string | null;
  readonly job: string | null;
  /** Last observation on the platform, e.g. `Starting: pulling image`; at the end, notes on the results. */
  readonly message: string | null;
  /** ISO 8601. */
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** Flat; read them with `metricsOf`, which reads the details, too. */
  readonly metrics: Metrics;
  /** Absent before there are results, and in records of older versions. */
  readonly metricDetails?: readonly MetricDetail[];
  /**
   * How many entries `metrics` has when it holds all of `results.yml`. More than there are: these are the first ones, as many
   * as a history takes. Absent: not known, in records of older versions and before there are results.
   */
  readonly metricsTotal?: number;
  /** The job was interrupted: the metrics cover the samples evaluated until then. */
  readonly partial?: boolean;
  /** SHA-256 of the `results.yml` from which the metrics were read, in hexadecimal digits. Absent: as `metricsTotal`. */
  readonly resultsDigest?: string;
  /** How often the endpoint was away, e.g. because it restarted, while the job ran. Absent: never, or not known. */
  readonly endpointAway?: number;
  /** Absolute folder of this task's results; `null`: none have been fetched. */
  readonly outputDir: string | null;
  readonly error: TaskError | null;
  readonly left: readonly LeftResource[];
  readonly kept: readonly KeptStorage[];
  /** Absent in records of older versions. */
  readonly usage?: Usage;
  /** How far the running job was when it was last looked at; `null` or absent: not known, or it has ended. */
  readonly progress?: JobProgress | null;
  /** Which of its jobs this is. Absent: the first one, or the run allows only one. */
  readonly attempt?: JobAttempt;
  /** Its results are those of a task of an earlier run, which it goes on from: it was not run. */
  readonly takenFrom?: { readonly invocation: string; readonly index: number };
  /** What jobs cost that were ended from outside before this one, and endpoints that were lost with them. */
  readonly earlierUsage?: readonly Usage[];
}

/** What an activity tells the run about its task; what is absent stays as it was. */
export interface TaskNews {
  readonly index: number;
  readonly phase?: TaskPhase;
  readonly message?: string | null;
  readonly endpointUrl?: string;
  readonly job?: string;
  readonly progress?: JobProgress;
  /** Of what costs money, which began or ended at this time, ISO 8601. */
  readonly begun?: Readonly<Partial<Record<keyof Usage, string>>>;
  readonly ended?: Readonly<Partial<Record<keyof Usage, string>>>;
  /** Another job begins; `earlierUsage` and `begun` then replace what is known. */
  readonly attempt?: JobAttempt;
  readonly earlierUsage?: readonly Usage[];
}

/** How a shared endpoint is, for the tasks that use it. */
export type SharedState =
  | { readonly kind: 'starting' }
  /** `url`: its base URL. */
  | { readonly kind: 'ready'; readonly url: string }
  | { readonly kind: 'failed'; readonly error: TaskError };

export interface RunSnapshot {
  readonly invocation: string;
  readonly phase: RunPhase;
  readonly platform: 'lepton' | 'local';
  /** Nothing was evaluated: the platform was a simulated one, and the scores are made up. */
  readonly simulated?: true;
  readonly model: string;
  /** What people call the run; absent: it has no name, or an older build ran it. */
  readonly name?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** The run that this one goes on from. */
  readonly retryOf?: string;
  readonly startedAt: string;
  readonly tasks: readonly TaskSnapshot[];
  /** Shared endpoints, as tasks without a job; their indices are below 0 (`sharedIndex`). Absent: there are none. */
  readonly shared?: readonly TaskSnapshot[];
  readonly left: readonly LeftResource[];
  readonly kept: readonly KeptStorage[];
  /** Outcome of its tasks. Absent: the run is open, or an older build ran it. */
  readonly outcome?: TaskOutcome;
  /** `null` or absent: costs are not counted. */
  readonly budget?: BudgetPlan | null;
  /** How its exports went. Absent: the run has none, or has not come to them. */
  readonly exports?: readonly ExportReport[];
}

/** Returns the snapshot of a task that has not started. Pure. */
export function pendingTask(
  task: Pick<TaskPlan, 'index' | 'name' | 'endpointName' | 'model' | 'endpointPerHour' | 'uses'>,
): TaskSnapshot {
  return {
    index: task.index,
    name: task.name,
    ...(task.model === undefined ? {} : { model: task.model }),
    ...(task.endpointPerHour === undefined ? {} : { endpointPerHour: task.endpointPerHour }),
    phase: 'pending',
    outcome: null,
    endpoint: task.endpointName ?? task.uses?.find(({ servesModel }) => servesModel)?.servesModel ?? null,
    endpointUrl: null,
    job: null,
    message: null,
    startedAt: null,
    endedAt: null,
    metrics: {},
    outputDir: null,
    error: null,
    left: [],
    kept: [],
    usage: { endpoint: null, job: null },
    progress: null,
  };
}

const pendingEndpoint = ({ name, endpointName, endpointPerHour }: SharedEndpointPlan, position: number): TaskSnapshot =>
  pendingTask({
    index: sharedIndex(position),
    name,
    endpointName,
    ...(endpointPerHour === undefined ? {} : { endpointPerHour }),
  });

/** Returns everything in a run that exists for a time and costs money: its tasks, and its shared endpoints. Pure. */
export const partsOf = ({ tasks, shared = [] }: Pick<RunSnapshot, 'tasks' | 'shared'>): readonly TaskSnapshot[] =>
  shared.length === 0 ? tasks : [...tasks, ...shared];

/** Returns the snapshot of a run that has just started. Pure. */
export function startingRun(plan: RunPlan, startedAt: string): RunSnapshot {
  return {
    invocation: plan.invocation,
    phase: 'starting',
    platform: plan.platform.kind,
    ...(plan.simulated ? { simulated: true } : {}),
    model: plan.model,
    ...(plan.name === undefined ? {} : { name: plan.name }),
    ...(plan.tags === undefined ? {} : { tags: plan.tags }),
    ...(plan.retryOf === undefined ? {} : { retryOf: plan.retryOf }),
    startedAt,
    tasks: plan.tasks.map(pendingTask),
    ...(plan.sharedEndpoints === undefined ? {} : { shared: plan.sharedEndpoints.map(pendingEndpoint) }),
    left: [],
    kept: [],
    budget: plan.budget ?? null,
  };
}
