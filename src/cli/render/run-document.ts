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
import { metricsOf, metricValue, type Metric, type Metrics } from '../../contract/metric';
import { statusWordOf, type Verdict } from '../../contract/verdict';
import { costDocument, type CostDocument } from '../../contract/cost';

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
  /** `null` where the Web UI's address is not known. */
  readonly webUi: string | null;
  /** ISO 8601. */
  readonly startedAt: string;
  /** When its last task ended; `null` while it runs. */
  readonly endedAt: string | null;
  /** Folder of its results; `null`: not known on this machine. */
  readonly outputDir: string | null;
  readonly tasks: readonly TaskDocument[];
  /** Why the run as a whole ended badly. */
  readonly error: TaskError | null;
  /** Only of a run with `execution.budget`. */
  readonly cost?: CostDocument;
  readonly teardown: { readonly left: readonly LeftResource[]; readonly kept: readonly KeptStorage[] };
}

export interface TaskDocument {
  readonly index: number;
  readonly name: string;
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
  /** How much of the task is evaluated; `null`: not known on this machine. */
  readonly samples: Omit<Sampling, 'index'> | null;
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
 * their own nor succeeded. `nowMs`: for the cost of what still exists. Pure.
 */
export function runDocument(run: RunDescription, webUi: string | null, nowMs = Date.now()): RunDocument {
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
    webUi,
    startedAt: run.snapshot.startedAt,
    endedAt: run.status === 'running' ? null : lastEnd(run.snapshot),
    outputDir: run.resultsInfo?.outputDir ?? null,
    tasks: tasks.map((task) => taskDocument(run, task)),
    error: run.failure,
    ...(cost === null ? {} : { cost }),
    teardown: { left, kept },
  };
}

function taskDocument(run: RunDescription, task: TaskSnapshot): TaskDocument {
  const { index, name, phase, outcome, endpoint, job, metrics, outputDir, error } = task;
  return {
    index,
    name,
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
    samples: samplesOf(run, index),
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
  const { limit, evaluated, of } = found;
  return { limit, evaluated, of };
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
