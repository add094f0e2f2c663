import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { invocationOf, runWorkflowType } from '../contract/identity';
import { statusWordOf, type Verdict } from '../contract/verdict';
import { goneResources } from '../home/removed-resources';
import { mapConcurrently } from '../support/map-concurrently';
import type { HomePaths } from '../home/paths';
import { describeRun } from './describe';
import { executionStatus, type ExecutionStatus } from './execution-status';

export interface RunSummary {
  readonly invocation: string;
  readonly status: ExecutionStatus;
  readonly model: string;
  /** See `Verdict`; `null` while it runs, or if the cluster has no search attributes. */
  readonly outcome: string | null;
  readonly startedAt: Date;
  readonly closedAt: Date | null;
  readonly taskQueue: string;
}

/** Lists runs, newest first. Temporal's listing lags by a second or two: don't base decisions on it. */
export async function listRuns(
  client: Client,
  options: { readonly limit: number; readonly home?: HomePaths },
): Promise<RunSummary[]> {
  const runs: RunSummary[] = [];
  for await (const info of toleratingUnreadable(client).list({
    query: `WorkflowType = '${runWorkflowType}'`,
    pageSize: Math.min(options.limit, 200),
  })) {
    const invocation = invocationOf(info.workflowId);
    if (invocation !== undefined) runs.push(summarise(info, invocation));
    if (runs.length >= options.limit) break;
  }
  const { home } = options;
  return home
    ? mapConcurrently(runs, concurrency, (run) => withCurrentOutcome(client, run, home)).then((all) => [...all])
    : runs;
}

/** Runs described in parallel. */
const concurrency = 10;

/** Temporal's listing doesn't change when a cleanup finishes the teardown of a closed run. */
async function withCurrentOutcome(client: Client, run: RunSummary, home: HomePaths): Promise<RunSummary> {
  if (run.outcome !== incomplete || (await goneResources(home, run.invocation)).length === 0) return run;
  const described = await describeRun(client, run.invocation, home).catch(() => undefined);
  return described ? { ...run, outcome: statusWordOf(described) } : run;
}

const incomplete: Verdict = 'teardown incomplete';

function summarise(info: WorkflowExecutionInfo, invocation: string): RunSummary {
  const outcome = info.typedSearchAttributes.get(defineSearchAttributeKey('EvalOutcome', 'KEYWORD'));
  return {
    invocation,
    status: executionStatus(info.status.name),
    model: typeof info.memo?.['model'] === 'string' ? info.memo['model'] : '',
    // Older builds recorded only the tasks' outcome.
    outcome: outcome === 'succeeded' && info.status.name === 'FAILED' ? incomplete : (outcome ?? null),
    startedAt: info.startTime,
    closedAt: info.closeTime ?? null,
    taskQueue: info.taskQueue,
  };
}
