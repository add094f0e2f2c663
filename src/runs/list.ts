import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { invocationOf, runWorkflowType } from '../contract/identity';
import { statusWordOf, type Verdict } from '../contract/verdict';
import { goneResources } from '../home/removed-resources';
import { mapConcurrently } from '../support/map-concurrently';
import type { HomePaths } from '../home/paths';
import { describeRun } from './describe';
import { fitsFilter, type RunFilter } from './run-filter';
import type { RunSummary } from './run-summary';
import { executionStatus } from './execution-status';

export interface ListRequest extends RunFilter {
  readonly limit: number;
  readonly home?: HomePaths;
}

/** Lists runs that fit, newest first. Temporal's listing lags by a second or two: don't base decisions on it. */
export async function listRuns(client: Client, request: ListRequest): Promise<RunSummary[]> {
  const { limit, home, since } = request;
  const fits = fitsFilter(request);
  const started = since === undefined ? '' : ` AND StartTime >= '${since.toISOString()}'`;
  const query = `WorkflowType = '${runWorkflowType}'${started}`;
  const runs: RunSummary[] = [];
  let page: RunSummary[] = [];
  const take = async (): Promise<void> => {
    const current = home
      ? await mapConcurrently(page, concurrency, (run) => withCurrentOutcome(client, run, home))
      : page;
    runs.push(...current.filter(fits).slice(0, limit - runs.length));
    page = [];
  };
  for await (const info of toleratingUnreadable(client).list({ query, pageSize: Math.min(limit, 200) })) {
    const invocation = invocationOf(info.workflowId);
    if (invocation !== undefined) page.push(summarise(info, invocation));
    if (page.length >= Math.min(limit, 200)) await take();
    if (runs.length >= limit) break;
  }
  if (runs.length < limit) await take();
  return runs;
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

/** Older builds recorded the owner as a search attribute only. */
function ownerIn({ memo, typedSearchAttributes }: WorkflowExecutionInfo): string | null {
  if (typeof memo?.['owner'] === 'string') return memo['owner'];
  return typedSearchAttributes.get(defineSearchAttributeKey('EvalOwner', 'KEYWORD')) ?? null;
}

const evalPhase = defineSearchAttributeKey('EvalPhase', 'KEYWORD');

function summarise(info: WorkflowExecutionInfo, invocation: string): RunSummary {
  const phase = info.typedSearchAttributes.get(evalPhase);
  const outcome = info.typedSearchAttributes.get(defineSearchAttributeKey('EvalOutcome', 'KEYWORD'));
  return {
    invocation,
    status: executionStatus(info.status.name),
    model: typeof info.memo?.['model'] === 'string' ? info.memo['model'] : '',
    owner: ownerIn(info),
    name: typeof info.memo?.['name'] === 'string' ? info.memo['name'] : null,
    tags: Array.isArray(info.memo?.['tags']) ? info.memo['tags'].map(String) : [],
    // Older builds recorded only the tasks' outcome.
    outcome: outcome === 'succeeded' && info.status.name === 'FAILED' ? incomplete : (outcome ?? null),
    ...(info.status.name === 'RUNNING' && phase !== undefined ? { phase } : {}),
    startedAt: info.startTime,
    closedAt: info.closeTime ?? null,
    taskQueue: info.taskQueue,
    ...(typeof info.memo?.['retryOf'] === 'string' ? { retryOf: info.memo['retryOf'] } : {}),
  };
}
