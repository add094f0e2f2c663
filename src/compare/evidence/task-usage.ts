import { readRequestStats } from '../../results/requests/request-stats';
import { recordedSummary, type TaskRecord } from '../../results/scores/task-record';
import { beganAtMs, taskCosts } from '../../results/summary/task-summary';
import type { TaskUsage } from './evidence';

/** A task in the record of its run. */
export interface RecordedTask {
  readonly task: TaskRecord;
  /** When the run ended, ISO 8601. */
  readonly endedAt: string;
}

/**
 * Returns what a task took, as `results` and exports count it: over all its jobs, and of its requests what the record keeps, else
 * what the evaluator's file in its folder says.
 */
export async function taskUsage(folder: string, recorded: RecordedTask | undefined): Promise<TaskUsage> {
  const kept = recorded && recordedSummary(recorded.task)?.requests;
  const requests = kept ?? (await readRequestStats(folder, recorded && beganAtMs(recorded.task)));
  const costs =
    recorded &&
    taskCosts(recorded.task, { summary: undefined, budget: undefined, nowMs: Date.parse(recorded.endedAt) });
  return {
    endpointSeconds: costs?.endpointSeconds ?? null,
    jobSeconds: costs?.jobSeconds ?? null,
    inferenceSeconds: requests?.requestSeconds ?? null,
    requests: requests?.count ?? null,
    promptTokens: requests?.promptTokens?.total ?? null,
    completionTokens: requests?.completionTokens?.total ?? null,
    meanLatencyMs: requests?.latencyMs?.mean ?? null,
  };
}
