import type { CostDocument } from '../../contract/cost';
import { metricsOf, type Metric } from '../../contract/metric';
import type { BudgetPlan } from '../../contract/plan';
import type { KeptStorage, LeftResource, TaskSnapshot } from '../../contract/state';
import { recordedTask, recordedSummary } from '../../results/scores/task-record';
import type { RunRecord } from '../../results/scores/run-record';
import { taskCosts, type TaskCosts, type TaskSummary } from '../../results/summary/task-summary';

/** What a report says about a run. */
export interface ReportedRun {
  readonly invocation: string;
  readonly model: string;
  /** `running`, or how it ended. */
  readonly status: string;
  readonly isSimulated: boolean;
  /** Platform and workspace, for people. */
  readonly platform: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** ISO 8601: the time up to which an open run is counted. */
  readonly countedTo: string;
  readonly tasks: readonly ReportedTask[];
  readonly cost: CostDocument | null;
  readonly usefulShare: number | null;
  readonly left: readonly LeftResource[];
  readonly kept: readonly KeptStorage[];
  /** Name to value: who started it, how, with which versions. */
  readonly provenance: readonly (readonly [name: string, value: string])[];
  /** The resolved config, as YAML, secrets masked; `null`: not known. */
  readonly config: string | null;
}

export interface ReportedTask {
  readonly snapshot: TaskSnapshot;
  readonly scores: readonly Metric[];
  readonly summary: TaskSummary | undefined;
  readonly costs: TaskCosts;
}

/** Returns what the record of a run says. Pure; resources that still exist are counted until the run's end. */
export function reportedRun(record: RunRecord): ReportedRun {
  const { cost, platform, versions } = record;
  const nowMs = Date.parse(record.endedAt);
  return {
    invocation: record.invocation,
    model: record.model,
    status: record.outcome,
    isSimulated: record.simulated === true,
    platform:
      platform.kind === 'local' ? 'the local platform' : `Lepton workspace ${platform.workspace} (${platform.url})`,
    startedAt: record.startedAt,
    endedAt: record.endedAt,
    countedTo: record.endedAt,
    tasks: record.tasks.map((task) =>
      reportedTask(recordedTask(task), { summary: recordedSummary(task), budget: record.budget, nowMs }),
    ),
    cost,
    usefulShare: record.usefulShare ?? null,
    left: record.teardown.left,
    kept: record.teardown.kept,
    provenance: [
      ['Started by', record.owner],
      ['Command', record.command],
      ['Versions', `evalsaga ${versions.evalsaga}, Node ${versions.node}`],
      ['Policies', `${record.policies.startPolicy}, on_task_failure ${record.policies.onTaskFailure}`],
    ],
    config: record.config,
  };
}

/** Pure. */
export function reportedTask(
  snapshot: TaskSnapshot,
  of: {
    readonly summary: TaskSummary | undefined;
    readonly budget: BudgetPlan | null | undefined;
    readonly nowMs: number;
  },
): ReportedTask {
  return { snapshot, scores: metricsOf(snapshot), summary: of.summary, costs: taskCosts(snapshot, of) };
}
