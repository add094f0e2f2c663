import type { Metric } from '../contract/metric';
import { errorName } from '../contract/metric';
import type { CommonExportSettings } from '../contract/export';
import type { TaskOutcome } from '../contract/state';
import type { RequestStats } from '../results/requests/request-stats';
import type { Distribution } from '../results/requests/distribution';
import type { RunRecord } from '../results/scores/run-record';
import type { Samples } from '../results/summary/samples';
import type { TaskCosts } from '../results/summary/task-summary';
import type { Finding } from '../results/validity/finding';

/** A run as exporters see it. */
export interface ExportedRun {
  readonly invocation: string;
  readonly name: string | null;
  readonly tags: Readonly<Record<string, string>>;
  /** Of several models all of them. */
  readonly model: string;
  /** `succeeded`, `failed`, … */
  readonly outcome: RunRecord['outcome'];
  /** `simulated`: the scores are made up. */
  readonly platform: 'lepton' | 'local' | 'simulated';
  readonly owner: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string;
  readonly version: string;
  readonly command: string;
  readonly cost: { readonly spent: number; readonly currency: string } | null;
  readonly usefulShare: number | null;
  /** The resolved config as YAML, secrets masked; `null`: not known. */
  readonly config: string | null;
  /** The run's folder on this machine, absolute. */
  readonly folder: string;
  /** Writes the files about the run as a whole; returns name to absolute path. */
  readonly files: () => Promise<Readonly<Record<string, string>>>;
  /** Those with scores. */
  readonly tasks: readonly ExportedTask[];
  readonly repeated: RepeatedNames;
}

/**
 * Names that several tasks of the run have, exported or not: where tasks share a place, such a name needs more to it. An export of
 * a part of the run gives its tasks the same names as one of all.
 */
export interface RepeatedNames {
  /** Of `ExportedTask.benchmark`. */
  readonly benchmarks: ReadonlySet<string>;
  /** Of `namedScores`. */
  readonly scores: ReadonlySet<string>;
}

export interface ExportedTask {
  /** `<invocation>.<index>`: the same in every export. */
  readonly key: string;
  readonly index: number;
  /** As in the config; in a run of several models `<model>/<name>`. */
  readonly name: string;
  /** Served name of the model. */
  readonly model: string;
  /** Of the evaluation, e.g. `lm-evaluation-harness`; `null`: not known. */
  readonly harness: string | null;
  /** The harness' name of what was evaluated, e.g. `hellaswag`. */
  readonly benchmark: string;
  /** Image of the evaluation; `null`: not known. */
  readonly image: string | null;
  readonly outcome: TaskOutcome | null;
  /** The job was interrupted: the scores cover some samples only. */
  readonly isPartial: boolean;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly scores: readonly Metric[];
  readonly samples: Samples | null;
  readonly requests: RequestStats | null;
  readonly latencyMs: Distribution | null;
  readonly costs: TaskCosts;
  /** Versions of the harness' tasks, by name. */
  readonly versions: Readonly<Record<string, string>>;
  readonly findings: readonly Finding[];
  /** Folder with its results on this machine, absolute; `null`: they are not here. */
  readonly folder: string | null;
}

/** Returns the scores of a task that `log_metrics` selects, by name, with their standard errors. Numbers that are none are left out. Pure. */
export function namedScores(
  { scores }: Pick<ExportedTask, 'scores'>,
  { log_metrics: parts }: Pick<CommonExportSettings, 'log_metrics'>,
): Record<string, number> {
  const named: Record<string, number> = {};
  for (const { name, value, stderr } of selectedScores(scores, parts)) {
    if (typeof value !== 'number') continue;
    named[name] = value;
    if (typeof stderr === 'number') named[errorName(name)] = stderr;
  }
  return named;
}

/**
 * Returns the names that `namedScores` may have of a task, also of scores that are no numbers: what an earlier export wrote under
 * them no longer holds. Pure.
 */
export const scoreNames = (
  { scores }: Pick<ExportedTask, 'scores'>,
  { log_metrics: parts }: Pick<CommonExportSettings, 'log_metrics'>,
): readonly string[] => selectedScores(scores, parts).flatMap(({ name }) => [name, errorName(name)]);

export const selectedScores = (scores: readonly Metric[], parts: readonly string[]): readonly Metric[] =>
  parts.length === 0
    ? scores
    : scores.filter(({ name }) => parts.some((part) => name.toLowerCase().includes(part.toLowerCase())));

/** Returns what is known of a task besides its scores, as numbers by name. Pure. */
export function measurementsOf({
  samples,
  requests,
  latencyMs,
  costs,
  findings,
}: ExportedTask): Record<string, number> {
  const all: Readonly<Record<string, number | null | undefined>> = {
    samples_done: samples?.done,
    samples_asked: samples?.asked,
    samples_total: samples?.of,
    repeats: samples?.repeats,
    endpoint_seconds: costs.endpointSeconds,
    job_seconds: costs.jobSeconds,
    request_seconds: costs.requestSeconds,
    useful_share: costs.usefulShare,
    cost: costs.cost,
    requests: requests?.count,
    requests_successful: requests?.successful,
    prompt_tokens: requests?.promptTokens?.total,
    completion_tokens: requests?.completionTokens?.total,
    latency_p50_ms: latencyMs?.p50,
    latency_p99_ms: latencyMs?.p99,
    findings: findings.length,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, number] => Number.isFinite(entry[1])),
  );
}

/** Returns what identifies a task's evaluation, as texts by name; what is not known is left out. Pure. */
export function factsOf(run: ExportedRun, task: ExportedTask): Record<string, string> {
  const all: Readonly<Record<string, string | null>> = {
    invocation_id: run.invocation,
    job_id: task.key,
    run_name: run.name,
    model: task.model,
    task_name: task.name,
    benchmark: task.benchmark,
    harness: task.harness,
    executor: run.platform,
    container: task.image,
    container_digest: /@(sha256:[0-9a-f]{64})$/.exec(task.image ?? '')?.[1] ?? null,
    task_versions: textOfMap(task.versions),
    outcome: task.outcome,
    partial: task.isPartial ? 'true' : null,
    findings: task.findings.length === 0 ? null : [...new Set(task.findings.map(({ kind }) => kind))].join(' '),
    started_at: task.startedAt,
    ended_at: task.endedAt,
    owner: run.owner,
    evalsaga_version: run.version,
  };
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== null));
}

function textOfMap(map: Readonly<Record<string, string>>): string | null {
  const entries = Object.entries(map);
  return entries.length === 0 ? null : entries.map(([name, value]) => `${name} ${value}`).join(', ');
}
