import type { RunDescription, Sampling } from '../../client';
import {
  metricsLeftOut,
  type KeptStorage,
  type LeftResource,
  type RunPhase,
  type TaskError,
  type TaskPhase,
  type TaskSnapshot,
} from '../../contract/state';
import type { JobProgress } from '../../contract/job-progress';
import type { JobAttempt } from '../../contract/job-attempts';
import { metricsOf, metricValue, type Metric, type Metrics } from '../../contract/metric';
import { statusWordOf, type Verdict } from '../../contract/verdict';
import type { ExportReport } from '../../contract/export';
import { costDocument, type CostDocument } from '../../contract/cost';
import type { Distribution } from '../../results/requests/distribution';
import type { RequestStats } from '../../results/requests/request-stats';
import type { TokenDistributions } from '../../results/requests/token-counts';
import { taskCosts, usefulShareOf, type TaskCosts, type TaskSummary } from '../../results/summary/task-summary';
import type { Finding } from '../../results/validity/finding';

/** What `--json` prints of a run. */
export interface RunDocument {
  readonly invocation: string;
  readonly status: 'running' | Verdict;
  readonly phase: RunPhase;
  /** While `status` is `running`: teardown is under way. */
  readonly cancelRequested: boolean;
  readonly platform: 'lepton' | 'local';
  /** Only of a run on a simulated platform: the scores are made up. */
  readonly simulated?: true;
  readonly model: string;
  /** What people call the run; `null`: it has no name. */
  readonly name: string | null;
  /** From `--tag`. */
  readonly tags: Readonly<Record<string, string>>;
  /** The run that it goes on from; absent: none. */
  readonly retryOf?: string;
  /** `null` where the Web UI's address is not known. */
  readonly webUi: string | null;
  /** ISO 8601. */
  readonly startedAt: string;
  /** When its last task ended; `null` while it runs. */
  readonly endedAt: string | null;
  /** Folder of its results; `null`: not known on this machine. */
  readonly outputDir: string | null;
  readonly tasks: readonly TaskDocument[];
  /** Only of a run with endpoints that several tasks use, such as a judge. */
  readonly sharedEndpoints?: readonly SharedEndpointDocument[];
  /** Why the run as a whole ended badly. */
  readonly error: TaskError | null;
  /** Only of a run with `execution.budget`. */
  readonly cost?: CostDocument;
  /** Part of the endpoints' paid time in which requests were under way, 0 to 1; `null`: not known. */
  readonly usefulShare: number | null;
  /** What may have spoiled scores, or makes them incomparable. */
  readonly findings: readonly Finding[];
  readonly teardown: { readonly left: readonly LeftResource[]; readonly kept: readonly KeptStorage[] };
  /** Only of a run with `execution.auto_export`, from when it exports. */
  readonly exports?: readonly ExportReport[];
}

export interface SharedEndpointDocument {
  /** As in the config, e.g. `judge`. */
  readonly name: string;
  /** `succeeded`: it served until the last task that used it had ended. */
  readonly status: TaskDocument['status'];
  readonly phase: TaskPhase;
  readonly message: string | null;
  /** ISO 8601. */
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** `null`: an existing endpoint. */
  readonly endpoint: string | null;
  readonly endpointUrl: string | null;
  /** Seconds for which it existed; `null`: never, or it is not the run's own. */
  readonly endpointSeconds: number | null;
  /** `null`: the run has no budget. */
  readonly cost: number | null;
  readonly error: TaskError | null;
}

export interface TaskDocument {
  readonly index: number;
  readonly name: string;
  /** Only in a run of several models: the name of the task's, with which `name` begins. */
  readonly model?: string;
  readonly status: 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  readonly phase: TaskPhase;
  /** What was seen last on the platform; `null` once the task is done. */
  readonly message: string | null;
  /** What must be known to read the scores and to find the logs, e.g. that a task was run without examples. */
  readonly notes: readonly string[];
  /** ISO 8601. */
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly endpoint: string | null;
  readonly endpointUrl: string | null;
  readonly job: string | null;
  /** How far its running job was when last looked at; `null`: not known, or it has ended. */
  readonly progress: JobProgress | null;
  /** Which of its jobs that is; absent: the first one. */
  readonly attempt?: JobAttempt;
  /** The task of an earlier run whose results these are: it was not run again. */
  readonly takenFrom?: { readonly invocation: string; readonly index: number };
  /** How much of the task is evaluated; `null`: not known on this machine. */
  readonly samples: Required<Omit<Sampling, 'index'>> | null;
  /** What the evaluator counted of its requests; `null`: not known on this machine. */
  readonly requests: RequestStats | null;
  /** Time from request to answer, milliseconds; `null`: not known on this machine. */
  readonly latencyMs: Distribution | null;
  /** Tokens per request; `null`: not known. */
  readonly tokens: TokenDistributions | null;
  readonly costs: TaskCosts;
  /** Versions of the harness' tasks, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Flat name to value, standard errors as `<name>_stderr`. */
  readonly metrics: Metrics;
  /** The same, one entry per score, with its sample count and place among the harness' groups. */
  readonly scores: readonly Metric[];
  /** How many entries of `metrics` the task's `results.yml` holds, standard errors included. */
  readonly metricsTotal: number;
  /** Only if `metrics` holds fewer than `metricsTotal`: the file with all of them is not on this machine. */
  readonly metricsTruncated?: true;
  /** Only if the job was interrupted: the metrics cover the samples evaluated until then. */
  readonly partial?: true;
  /** Only if the metrics were fetched after the run's end: the file that holds them. */
  readonly metricsFrom?: string;
  readonly outputDir: string | null;
  readonly error: TaskError | null;
}

/**
 * Returns the JSON document of a run. A failure of the run as a whole is also the error of tasks that have neither an error of
 * their own nor succeeded. `nowMs`: for the cost of what still exists, by Temporal's clock (`nowOf`). Pure.
 */
export function runDocument(run: RunDescription, webUi: string | null, nowMs: number): RunDocument {
  const { invocation, platform, simulated, model, tasks, left, kept } = run.snapshot;
  const cost = costDocument(run.snapshot, nowMs);
  return {
    invocation,
    status: statusWordOf(run),
    phase: run.snapshot.phase,
    cancelRequested: run.cancelRequested,
    platform,
    ...(simulated ? { simulated } : {}),
    model,
    name: run.snapshot.name ?? null,
    tags: run.snapshot.tags ?? {},
    ...(run.snapshot.retryOf === undefined ? {} : { retryOf: run.snapshot.retryOf }),
    // There is no page of a run that Temporal has forgotten.
    webUi: run.isRecorded ? null : webUi,
    startedAt: run.snapshot.startedAt,
    endedAt: run.status === 'running' ? null : lastEnd(run.snapshot),
    outputDir: run.resultsInfo?.outputDir ?? null,
    tasks: tasks.map((task) => taskDocument(run, task, nowMs)),
    ...sharedDocuments(run.snapshot, nowMs),
    error: run.failure,
    ...(cost === null ? {} : { cost }),
    usefulShare: usefulShareOf(
      tasks.map((task) => ({ ...task, ...summaryIn(run, task.index) })),
      { shared: run.snapshot.shared, budget: run.snapshot.budget, nowMs },
    ),
    findings: findingsIn(run),
    teardown: { left, kept },
    ...(run.snapshot.exports ? { exports: run.snapshot.exports } : {}),
  };
}

function sharedDocuments(
  { shared, budget }: RunDescription['snapshot'],
  nowMs: number,
): Pick<RunDocument, 'sharedEndpoints'> {
  if (shared === undefined) return {};
  return {
    sharedEndpoints: shared.map((one) => {
      const { name, phase, outcome, message, startedAt, endedAt, endpoint, endpointUrl, error } = one;
      const status: TaskDocument['status'] = outcome ?? (phase === 'pending' ? 'pending' : 'running');
      const { endpointSeconds, cost } = taskCosts(one, { summary: undefined, budget, nowMs });
      const state = { name, status, phase, message, startedAt, endedAt };
      return { ...state, endpoint, endpointUrl, endpointSeconds, cost, error };
    }),
  };
}

/** Returns the findings on the tasks of a description. Pure. */
export function findingsIn({ snapshot, resultsInfo }: Pick<RunDescription, 'snapshot' | 'resultsInfo'>): Finding[] {
  const shown = new Set(snapshot.tasks.map(({ index }) => index));
  return (resultsInfo?.summaries ?? []).flatMap(({ index, findings }) => (shown.has(index) ? findings : []));
}

function summaryIn({ resultsInfo }: RunDescription, wanted: number): { readonly summary?: TaskSummary } {
  const summary = resultsInfo?.summaries?.find(({ index }) => index === wanted);
  return summary ? { summary } : {};
}

function taskDocument(run: RunDescription, task: TaskSnapshot, nowMs: number): TaskDocument {
  const { index, name, phase, outcome, endpoint, job, metrics, outputDir, error } = task;
  const { summary } = summaryIn(run, index);
  return {
    index,
    name,
    ...(task.model === undefined ? {} : { model: task.model }),
    status: outcome ?? (phase === 'pending' ? 'pending' : 'running'),
    phase,
    message: phase === 'done' ? null : task.message,
    // The final message is a note on the results.
    notes: phase === 'done' && task.message !== null ? [task.message] : [],
    startedAt: task.startedAt,
    endedAt: task.endedAt,
    endpoint,
    endpointUrl: task.endpointUrl,
    job,
    progress: phase === 'running job' ? (task.progress ?? null) : null,
    ...(task.attempt ? { attempt: task.attempt } : {}),
    ...(task.takenFrom ? { takenFrom: task.takenFrom } : {}),
    samples: samplesOf(run, index),
    requests: summary?.requests ?? null,
    latencyMs: summary?.latencyMs ?? null,
    tokens: summary?.tokens ?? null,
    costs: taskCosts(task, { summary, budget: run.snapshot.budget, nowMs }),
    versions: summary?.versions ?? {},
    metrics: finiteMetrics(metrics),
    scores: metricsOf(task),
    metricsTotal: task.metricsTotal ?? Object.keys(metrics).length,
    ...((metricsLeftOut(task) ?? 0) > 0 ? { metricsTruncated: true } : {}),
    ...(task.partial ? { partial: true } : {}),
    ...metricsFrom(run, index),
    outputDir,
    error: error ?? (outcome === 'succeeded' ? null : run.failure),
  };
}

function samplesOf({ resultsInfo }: RunDescription, wanted: number): TaskDocument['samples'] {
  const found = resultsInfo?.samplings.find(({ index }) => index === wanted);
  if (!found) return null;
  const { limit, evaluated, of, asked = null, repeats = null } = found;
  return { limit, evaluated, of, asked, repeats };
}

/** Returns when the last task ended; `null`: none has. Pure. */
export const lastEnd = ({ tasks }: RunDescription['snapshot']): string | null =>
  tasks
    .flatMap(({ endedAt }) => endedAt ?? [])
    .sort()
    .at(-1) ?? null;

function metricsFrom({ changesAfterEnd }: RunDescription, index: number): Pick<TaskDocument, 'metricsFrom'> {
  const scores = changesAfterEnd?.scores.find((candidate) => candidate.index === index);
  return scores ? { metricsFrom: scores.file } : {};
}

/** Writes NaN and infinities as strings, since JSON has no other way. */
const finiteMetrics = (metrics: Metrics): Metrics =>
  Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, metricValue(value)]));
