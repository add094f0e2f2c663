import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { indifferent } from '../encryption/unreadable';
import { invocationOf, runWorkflowType } from '../contract/identity';

export interface RunSummary {
  readonly invocation: string;
  readonly status: 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated';
  readonly model: string;
  /** `succeeded`, `failed`, `cancelled`; `null` while it runs, or where the cluster has no search attributes. */
  readonly outcome: string | null;
  readonly startedAt: Date;
  readonly closedAt: Date | null;
}

/** Runs, newest first. Temporal's listing lags by a second or two: nothing may be decided on it. */
export async function listRuns(client: Client, options: { readonly limit: number }): Promise<RunSummary[]> {
  const runs: RunSummary[] = [];
  for await (const info of indifferent(client).list({
    query: `WorkflowType = '${runWorkflowType}'`,
    pageSize: Math.min(options.limit, 200),
  })) {
    const invocation = invocationOf(info.workflowId);
    if (invocation !== undefined) runs.push(summarise(info, invocation));
    if (runs.length >= options.limit) break;
  }
  return runs;
}

function summarise(info: WorkflowExecutionInfo, invocation: string): RunSummary {
  const outcome = info.typedSearchAttributes.get(defineSearchAttributeKey('EvalOutcome', 'KEYWORD'));
  return {
    invocation,
    status: executionStatus(info.status.name),
    model: typeof info.memo?.['model'] === 'string' ? info.memo['model'] : '',
    outcome: outcome ?? null,
    startedAt: info.startTime,
    closedAt: info.closeTime ?? null,
  };
}

/** Temporal's name for a workflow's state, in ours. Pure. */
export function executionStatus(name: string): RunSummary['status'] {
  if (name === 'RUNNING') return 'running';
  if (name === 'COMPLETED') return 'completed';
  if (name === 'CANCELLED') return 'cancelled';
  return name === 'TERMINATED' ? 'terminated' : 'failed';
}
