import type { Client } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { runWorkflowId, runWorkflowType } from '../contract/identity';
import type { RunPlan } from '../contract/plan';
import { runArguments } from '../contract/run-arguments';
import { describeOversize, sizeOfPlan } from '../contract/plan-size';
import type { HomePaths } from '../home/paths';
import { storeRun } from '../home/run-store';
import { startWithRetries } from './start-with-retries';
import { PlanTooLarge } from './run-errors';
import { plainWords, platformWords } from '../contract/details';

export interface StartRequest {
  readonly plan: RunPlan;
  readonly taskQueue: string;
  /**
   * Task queue of the worker of `home`, which does what needs the launching machine's files and variables. Absent: all
   * workers of `taskQueue` share `home`.
   */
  readonly homeQueue?: string | undefined;
  /** Values of the host variables that the plan references, by name. Kept in a private file, never in history. */
  readonly hostSecrets: Readonly<Record<string, string>>;
  /** The resolved config with secrets masked, for `run.json`. */
  readonly configYaml: string;
  readonly home: HomePaths;
  /** The Temporal installation, from `originOf`: lets a sweep judge the run when Temporal no longer knows it. */
  readonly origin?: string | undefined;
  /** Whether the cluster has our search attributes. */
  readonly searchAttributes: boolean;
  /** Payloads are encrypted. Search attributes can't be, so those that say what is evaluated are left out. */
  readonly isEncrypted?: boolean;
}

/**
 * Starts a run, exactly once even if Temporal's answer is lost. Throws `RunExists` for an id that was used before, `PlanTooLarge`,
 * `InfrastructureError` if Temporal does not answer in time.
 */
export async function startRun(client: Client, request: StartRequest): Promise<{ workflowId: string; runId: string }> {
  const plan = withHome(request);
  const size = sizeOfPlan(plan, (text) => Buffer.byteLength(text));
  if (size.kind !== 'fits') {
    const { problem, advice } = describeOversize(size, plan.tasks.length);
    throw new PlanTooLarge(`${problem}: ${advice}`);
  }
  const { configYaml, hostSecrets: secrets, origin } = request;
  await storeRun(request.home, { plan, configYaml, secrets, origin });
  const workflowId = runWorkflowId(plan.invocation);
  const runId = await startWithRetries(client, { plan, home: request.home }, () =>
    client.workflow.start(runWorkflowType, {
      workflowId,
      taskQueue: request.taskQueue,
      args: [...runArguments(plan, { searchAttributes: request.searchAttributes })],
      // A small run beside a large one gets its turn; its batches, tasks and activities inherit this.
      priority: { fairnessKey: plan.invocation },
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      memo: {
        model: plan.model.slice(0, 200),
        tasks: plan.tasks.length,
        outputDir: plan.outputDir,
        configDigest: plan.provenance.configDigest,
      },
      staticSummary: plainWords(`${plan.model}: ${plan.tasks.map(({ name }) => name).join(', ')}`),
      staticDetails: describePlan(plan),
      ...(request.searchAttributes ? { typedSearchAttributes: searchAttributesOf(plan, request) } : {}),
    }),
  );
  return { workflowId, runId };
}

const withHome = ({ plan, homeQueue, hostSecrets }: StartRequest): RunPlan =>
  homeQueue === undefined
    ? plan
    : { ...plan, home: { taskQueue: homeQueue, holdsSecrets: Object.keys(hostSecrets).length > 0 } };

function searchAttributesOf(plan: RunPlan, { isEncrypted = false }: StartRequest): TypedSearchAttributes {
  const phase = { key: defineSearchAttributeKey('EvalPhase', 'KEYWORD'), value: 'starting' };
  if (isEncrypted) return new TypedSearchAttributes([phase]);
  return new TypedSearchAttributes([
    { key: defineSearchAttributeKey('EvalModel', 'KEYWORD'), value: plan.model.slice(0, 200) },
    phase,
    { key: defineSearchAttributeKey('EvalOwner', 'KEYWORD'), value: plan.owner.slice(0, 200) },
  ]);
}

function describePlan(plan: RunPlan): string {
  const where =
    plan.platform.kind === 'lepton' && !plan.simulated
      ? `Lepton workspace ${plan.platform.workspace}`
      : platformWords({ platform: plan.platform.kind, simulated: plan.simulated });
  const how = plan.endpoint.kind === 'existing' ? 'an existing endpoint' : 'one dedicated endpoint per task';
  return `Evaluates **${plainWords(plan.model)}** on ${where}: ${plan.tasks.length} tasks, ${how}. Results: \`${plainWords(plan.outputDir)}\``;
}
