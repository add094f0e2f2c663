import type { RunDescription } from '../client';
import {
  metricsLeftOut,
  type KeptStorage,
  type LeftResource,
  type Metrics,
  type TaskError,
  type TaskSnapshot,
} from '../contract/state';
import { costDocument, type CostDocument } from './cost';

/** What `--json` prints of a run. */
export interface RunDocument {
  readonly invocation: string;
  readonly status: RunDescription['status'];
  readonly platform: 'lepton' | 'local';
  readonly model: string;
  /** `null` where the Web UI's address is not known. */
  readonly webUi: string | null;
  readonly tasks: readonly TaskDocument[];
  /** Only of a run with `execution.budget`. */
  readonly cost?: CostDocument;
  readonly teardown: { readonly left: readonly LeftResource[]; readonly kept: readonly KeptStorage[] };
}

export interface TaskDocument {
  readonly index: number;
  readonly name: string;
  readonly status: 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  readonly endpoint: string | null;
  readonly job: string | null;
  readonly metrics: Metrics;
  /** How many metrics the task's `results.yml` holds, standard errors included. */
  readonly metricsTotal: number;
  /** Only where `metrics` holds fewer than these: the file with all of them is not on this machine. */
  readonly metricsTruncated?: true;
  /** Only where the job was interrupted: the metrics are of the samples that it had evaluated until then. */
  readonly partial?: true;
  /** Only where the metrics are not the run's own: the file, which came home after its end. */
  readonly metricsFrom?: string;
  readonly outputDir: string | null;
  readonly error: TaskError | null;
}

/** Pure but for the time, on which a running total depends. A failure of the run as a whole shows as the error of those tasks that have none of their own and no success. */
export function runDocument(run: RunDescription, webUi: string | null, nowMs = Date.now()): RunDocument {
  const { invocation, platform, model, tasks, left, kept } = run.snapshot;
  const cost = costDocument(run.snapshot, nowMs);
  return {
    invocation,
    status: run.status,
    platform,
    model,
    webUi,
    tasks: tasks.map((task) => taskDocument(run, task)),
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
    endpoint,
    job,
    metrics: finiteMetrics(metrics),
    metricsTotal: task.metricsTotal ?? Object.keys(metrics).length,
    ...((metricsLeftOut(task) ?? 0) > 0 ? { metricsTruncated: true } : {}),
    ...(task.partial ? { partial: true } : {}),
    ...metricsFrom(run, index),
    outputDir,
    error: error ?? (outcome === 'succeeded' ? null : run.failure),
  };
}

function metricsFrom({ since }: RunDescription, index: number): Pick<TaskDocument, 'metricsFrom'> {
  const scores = since?.scores.find((candidate) => candidate.index === index);
  return scores ? { metricsFrom: scores.file } : {};
}

/** JSON has no NaN: it is named, never turned into 0 or null. */
function finiteMetrics(metrics: Metrics): Metrics {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [
      name,
      typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
    ]),
  );
}
