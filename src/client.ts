/** The library: start, describe, watch, cancel and list runs. The command line uses nothing else for them. */
import {
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowExecutionInfo,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { invocationOf, runWorkflowId, runWorkflowType } from './contract/identity';
import type { RunInput } from './contract/inputs';
import { runStatus } from './contract/messages';
import type { RunPlan } from './contract/plan';
import { startingRun, type RunSnapshot, type TaskError } from './contract/state';
import type { HomePaths } from './home/paths';
import { storedInvocations, storedPlan, storeRun } from './home/run-store';
import { recordedSnapshot } from './results/recorded';

/** Largest plan that is put into workflow history, bytes of JSON: Temporal refuses payloads of 2 MiB. */
export const maxPlanBytes = 1_500_000;

export class RunNotFound extends Error {
  override readonly name = 'RunNotFound';
}
export class AmbiguousRun extends Error {
  override readonly name = 'AmbiguousRun';
  constructor(
    prefix: string,
    readonly candidates: readonly string[],
  ) {
    super(
      `"${prefix}" fits ${candidates.length} runs: ${candidates.slice(0, 5).join(', ')}${candidates.length > 5 ? ', …' : ''}. Give more digits.`,
    );
  }
}
export class MalformedId extends Error {
  override readonly name = 'MalformedId';
}
/** A run with this id exists already, running or closed. */
export class RunExists extends Error {
  override readonly name = 'RunExists';
}
export class PlanTooLarge extends Error {
  override readonly name = 'PlanTooLarge';
}

export interface RunDescription {
  readonly status: 'running' | 'succeeded' | 'failed' | 'cancelled';
  /** A cancel was asked for; while `status` is running, teardown is under way. */
  readonly cancelRequested: boolean;
  readonly snapshot: RunSnapshot;
  /** Why the run as a whole ended badly; `null` when only its tasks have something to say. */
  readonly failure: TaskError | null;
  readonly taskQueue: string;
}

export interface RunSummary {
  readonly invocation: string;
  readonly status: 'running' | 'completed' | 'failed' | 'cancelled' | 'terminated';
  readonly model: string;
  /** `succeeded`, `failed`, `cancelled`; `null` while it runs, or where the cluster has no search attributes. */
  readonly outcome: string | null;
  readonly startedAt: Date;
  readonly closedAt: Date | null;
}

export interface StartRequest {
  readonly plan: RunPlan;
  readonly taskQueue: string;
  /** Values of the host variables that the plan references, by name. Kept in a private file, never in history. */
  readonly hostSecrets: Readonly<Record<string, string>>;
  /** The resolved config with secrets masked: becomes part of `run.json`. */
  readonly configYaml: string;
  readonly home: HomePaths;
  /** Of the Temporal installation, as `originOf` says it: lets a sweep judge the run when Temporal has forgotten it. */
  readonly origin?: string | undefined;
  /** Whether the cluster has our search attributes. */
  readonly searchAttributes: boolean;
}

/** Starts a run. Throws `RunExists` for an id that was used before, `PlanTooLarge`. */
export async function startRun(client: Client, request: StartRequest): Promise<{ workflowId: string; runId: string }> {
  const { plan } = request;
  const bytes = Buffer.byteLength(JSON.stringify(plan));
  if (bytes > maxPlanBytes) {
    throw new PlanTooLarge(
      `the run's plan has ${bytes} bytes, Temporal takes ${maxPlanBytes}: split the config into several runs, or make the tasks' parameters smaller`,
    );
  }
  const { configYaml, hostSecrets: secrets, origin } = request;
  await storeRun(request.home, { plan, configYaml, secrets, origin });
  const workflowId = runWorkflowId(plan.invocation);
  const input: RunInput = { plan, searchAttributes: request.searchAttributes };
  try {
    const handle = await client.workflow.start(runWorkflowType, {
      workflowId,
      taskQueue: request.taskQueue,
      args: [input],
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      memo: {
        model: plan.model,
        tasks: plan.tasks.length,
        outputDir: plan.outputDir,
        configDigest: plan.provenance.configDigest,
      },
      staticSummary: `${plan.model}: ${plan.tasks.map(({ name }) => name).join(', ')}`.slice(0, 200),
      staticDetails: describePlan(plan),
      ...(request.searchAttributes ? { typedSearchAttributes: searchAttributesOf(plan) } : {}),
    });
    return { workflowId, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) {
      throw new RunExists(
        `a run ${plan.invocation} exists already; look at it with: evalsaga status ${plan.invocation}`,
      );
    }
    throw error;
  }
}

/** The full id of the one run that `prefix` fits: on this host, else in Temporal. */
export async function resolveInvocation(client: Client, prefix: string, home: HomePaths): Promise<string> {
  if (!/^[0-9a-f]{1,16}$/.test(prefix)) {
    throw new MalformedId(`"${prefix}" is not a run's id: an id is 16 hexadecimal digits, or the first few of them`);
  }
  const candidates = new Set(await storedInvocations(home, prefix));
  if (prefix.length === 16) candidates.add(prefix);
  else {
    const query = `WorkflowType = '${runWorkflowType}' AND WorkflowId STARTS_WITH '${runWorkflowId(prefix)}'`;
    for await (const { workflowId } of client.workflow.list({ query, pageSize: 20 })) {
      const invocation = invocationOf(workflowId);
      if (invocation !== undefined) candidates.add(invocation);
      if (candidates.size > 20) break;
    }
  }
  const found = [...candidates].sort();
  if (found.length > 1) throw new AmbiguousRun(prefix, found);
  if (found[0] === undefined) throw new RunNotFound(`no run begins with ${prefix}; list runs with: evalsaga ls`);
  return found[0];
}

/** One look at a run, open or closed. Throws `RunNotFound`. */
export async function describeRun(client: Client, invocation: string, home: HomePaths): Promise<RunDescription> {
  const handle = client.workflow.getHandle(runWorkflowId(invocation));
  const description = await handle.describe().catch((error: unknown) => {
    if (error instanceof WorkflowNotFoundError)
      throw new RunNotFound(`Temporal knows no run ${invocation}; list runs with: evalsaga ls`);
    throw error;
  });
  const closing = description.status.name === 'RUNNING' ? undefined : await closingOf(client, invocation);
  const snapshot =
    closing?.snapshot ?? (await currentSnapshot(client, { invocation, home, startedAt: description.startTime }));
  return {
    status: statusOf(description, snapshot),
    cancelRequested: description.raw.workflowExtendedInfo?.cancelRequested ?? false,
    snapshot,
    failure: closing?.failure ?? null,
    taskQueue: description.taskQueue,
  };
}

/** A description whenever it changed, and a last one when the run has closed. Ends early, quietly, when aborted. */
export async function* watchRun(
  client: Client,
  invocation: string,
  home: HomePaths,
  options: { readonly intervalMs: number; readonly signal: AbortSignal },
): AsyncGenerator<RunDescription> {
  let last = '';
  while (!options.signal.aborted) {
    const description = await describeRun(client, invocation, home);
    const current = JSON.stringify(description);
    if (current !== last) yield description;
    if (description.status !== 'running') return;
    last = current;
    await sleep(options.intervalMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

/** Asks a run to end: endpoints, jobs and storage are torn down first. Throws `RunNotFound`. */
export async function cancelRun(client: Client, invocation: string): Promise<'requested' | 'already closed'> {
  const handle = client.workflow.getHandle(runWorkflowId(invocation));
  try {
    if ((await handle.describe()).status.name !== 'RUNNING') return 'already closed';
    await handle.cancel();
    return 'requested';
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    const closed = await handle.describe().then(
      () => true,
      () => false,
    );
    if (closed) return 'already closed';
    throw new RunNotFound(`Temporal knows no run ${invocation}; list runs with: evalsaga ls`);
  }
}

/** Runs, newest first. Temporal's listing lags by a second or two: nothing may be decided on it. */
export async function listRuns(client: Client, options: { readonly limit: number }): Promise<RunSummary[]> {
  const runs: RunSummary[] = [];
  for await (const info of client.workflow.list({
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

function executionStatus(name: string): RunSummary['status'] {
  if (name === 'RUNNING') return 'running';
  if (name === 'COMPLETED') return 'completed';
  if (name === 'CANCELLED') return 'cancelled';
  return name === 'TERMINATED' ? 'terminated' : 'failed';
}

function statusOf(description: WorkflowExecutionDescription, snapshot: RunSnapshot): RunDescription['status'] {
  switch (executionStatus(description.status.name)) {
    case 'running':
      return 'running';
    case 'cancelled':
      return 'cancelled';
    case 'completed':
      return snapshot.tasks.every(({ outcome }) => outcome === 'succeeded') ? 'succeeded' : 'failed';
    case 'failed':
    case 'terminated':
      return 'failed';
  }
}

interface Closing {
  readonly snapshot: RunSnapshot | undefined;
  readonly failure: TaskError | null;
}

/** What a closed run's own result says: no worker is needed for it. */
async function closingOf(client: Client, invocation: string): Promise<Closing> {
  try {
    const snapshot = (await client.workflow.getHandle(runWorkflowId(invocation)).result()) as RunSnapshot;
    return { snapshot, failure: null };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    if (cause instanceof ApplicationFailure) {
      return {
        snapshot: cause.details?.[0] as RunSnapshot | undefined,
        failure: { type: cause.type ?? 'Error', message: cause.message },
      };
    }
    if (cause?.name === 'CancelledFailure') return { snapshot: undefined, failure: null };
    const message = `the run was terminated, so it could not tear down itself; its tasks do. See what is left with: evalsaga cleanup ${invocation}`;
    return { snapshot: undefined, failure: { type: 'Terminated', message } };
  }
}

/** Asks the run itself; without a worker that answers, what this host has recorded of it. */
async function currentSnapshot(
  client: Client,
  run: { readonly invocation: string; readonly home: HomePaths; readonly startedAt: Date },
): Promise<RunSnapshot> {
  const { invocation, home } = run;
  const recorded = await recordedSnapshot(home, invocation);
  if (recorded) return recorded;
  try {
    return await client.withDeadline(Date.now() + 4_000, () =>
      client.workflow.getHandle(runWorkflowId(invocation)).query(runStatus),
    );
  } catch {
    const plan = await storedPlan(home, invocation);
    if (plan) return startingRun(plan, run.startedAt.toISOString());
    throw new RunNotFound(
      `run ${invocation} has no worker that could tell its state, and was not started on this host. Start a worker with: evalsaga up`,
    );
  }
}

function searchAttributesOf(plan: RunPlan): TypedSearchAttributes {
  return new TypedSearchAttributes([
    { key: defineSearchAttributeKey('EvalModel', 'KEYWORD'), value: plan.model.slice(0, 200) },
    { key: defineSearchAttributeKey('EvalPhase', 'KEYWORD'), value: 'starting' },
    { key: defineSearchAttributeKey('EvalOwner', 'KEYWORD'), value: plan.owner.slice(0, 200) },
  ]);
}

function describePlan(plan: RunPlan): string {
  const where = plan.platform.kind === 'local' ? 'the local platform' : `Lepton workspace ${plan.platform.workspace}`;
  const how = plan.endpoint.kind === 'existing' ? 'an existing endpoint' : 'one dedicated endpoint per task';
  return `Evaluates **${plan.model.replace(/[^\w ./:-]/g, ' ')}** on ${where}: ${plan.tasks.length} tasks, ${how}. Cancel this workflow to tear everything down. Results: \`${plan.outputDir.replace(/`/g, '')}\``;
}
