import path from 'node:path';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { defineSearchAttributeKey, TypedSearchAttributes } from '@temporalio/common';
import { endpointsTogether, sharedEndpointsOf } from '../contract/endpoint-needs';
import { runWorkflowId, runWorkflowType } from '../contract/identity';
import { hostSecretsOf } from '../contract/host-secrets';
import type { Preflight } from '../contract/inputs/run';
import type { RunPlan } from '../contract/plan';
import { resultsPlaceOf } from '../contract/results-place';
import { runArguments } from '../contract/run-arguments';
import { tagWords } from '../contract/run-name';
import { describeOversize, sizeOfPlan } from '../contract/plan-size';
import type { HomePaths } from '../home/paths';
import { storeRun } from '../home/run-store';
import type { StoreEnv } from '../results/store/store';
import { machineDigest } from '../support/machine-identity';
import type { EncryptionKey } from '../temporal/encryption/key-file';
import { furnishStore } from './furnish-store';
import { startWithRetries } from './start-with-retries';
import { PlanTooLarge, RunExists } from './run-errors';
import { sameRun } from './same-run';
import { acquireLock } from '../support/lock';
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
  /**
   * The key that seals the values of host variables for workers elsewhere; used if the run has a results store, and no worker shares
   * its home. Default: only the home's own worker resolves them.
   */
  readonly sealingKey?: EncryptionKey | undefined;
  /** Environment with which a results store is opened. Default: this process's. */
  readonly storeEnv?: StoreEnv | undefined;
  /** Receives what the user should know although the run starts. */
  readonly warn?: ((text: string) => void) | undefined;
  /** Whether it has those of names and tags. */
  readonly labelAttributes?: boolean;
  /**
   * If there is a run with the plan's id already, and it evaluates the same, it is the one that is meant: nothing is started. Default:
   * `RunExists` is thrown.
   */
  readonly attachToSame?: boolean;
  /** Payloads are encrypted. Search attributes can't be, so those that say what is evaluated are left out. */
  readonly isEncrypted?: boolean;
}

/** A run that has been started, now or before. */
export interface StartedRun {
  readonly workflowId: string;
  /** Temporal's. `undefined`: it has forgotten the run, which was started before and has ended. */
  readonly runId: string | undefined;
  /** It has been started by this call. */
  readonly isNew: boolean;
  /** Its plan: that of an earlier start, if it is not new. */
  readonly plan: RunPlan;
}

/**
 * Starts a run, exactly once even if Temporal's answer is lost. Throws `RunExists` for an id that was used before, or with `attachToSame`
 * `RunDiffers` if it was used for something else; `PlanTooLarge`, `InfrastructureError` if Temporal does not answer in time.
 */
export async function startRun(client: Client, request: StartRequest): Promise<StartedRun> {
  if (!request.attachToSame) return startNew(client, request);
  const { home, plan, configYaml } = request;
  // Two starts from one home must not overwrite each other's plan and secrets. Of two homes, Temporal lets one win.
  const lock = await acquireLock({ file: path.join(home.runs, `.${plan.invocation}.lock`), folderMode: 0o700 });
  try {
    for (let tries = 1; ; tries += 1) {
      const there = await sameRun(client, { plan, configYaml, home });
      if (there) return { ...(await executionOf(client, plan)), isNew: false, plan: there };
      try {
        return await startNew(client, request);
      } catch (error) {
        if (!(error instanceof RunExists) || tries > 1) throw error;
      }
    }
  } finally {
    await lock.release();
  }
}

async function executionOf(client: Client, { invocation }: RunPlan): Promise<Pick<StartedRun, 'workflowId' | 'runId'>> {
  const workflowId = runWorkflowId(invocation);
  try {
    const { runId } = await client.workflow.getHandle(workflowId).describe();
    return { workflowId, runId };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { workflowId, runId: undefined };
    throw error;
  }
}

async function startNew(client: Client, request: StartRequest): Promise<StartedRun> {
  const plan = placed(request);
  const size = sizeOfPlan(plan, (text) => Buffer.byteLength(text));
  if (size.kind !== 'fits') {
    const { problem, advice } = describeOversize(size, plan.tasks.length);
    throw new PlanTooLarge(`${problem}: ${advice}`);
  }
  const { configYaml, hostSecrets: secrets, origin } = request;
  await storeRun(request.home, { plan, configYaml, secrets, origin });
  if (plan.resultsStore !== undefined) await furnishStore(plan, request);
  const workflowId = runWorkflowId(plan.invocation);
  const runId = await startWithRetries(client, { plan, home: request.home }, () =>
    client.workflow.start(runWorkflowType, {
      workflowId,
      taskQueue: request.taskQueue,
      args: [...runArguments(plan, { searchAttributes: request.searchAttributes, preflight: expectedOfWorkers(plan) })],
      // A small run beside a large one gets its turn; its batches, tasks and activities inherit this.
      priority: { fairnessKey: plan.invocation },
      workflowIdConflictPolicy: 'FAIL',
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      memo: {
        model: plan.model.slice(0, 200),
        owner: plan.owner.slice(0, 200),
        ...(plan.name === undefined ? {} : { name: plan.name }),
        ...(plan.tags === undefined ? {} : { tags: tagWords(plan.tags) }),
        ...(plan.retryOf === undefined ? {} : { retryOf: plan.retryOf }),
        tasks: plan.tasks.length,
        outputDir: resultsPlaceOf(plan),
        configDigest: plan.provenance.configDigest,
      },
      staticSummary: plainWords(`${plan.model}: ${plan.tasks.map(({ name }) => name).join(', ')}`),
      staticDetails: describePlan(plan),
      ...(request.searchAttributes ? { typedSearchAttributes: searchAttributesOf(plan, request) } : {}),
    }),
  );
  return { workflowId, runId, isNew: true, plan };
}

/** Decides what this home's own worker does, if the run's task queue is also served by others. Pure. */
export function placed({ plan, homeQueue, hostSecrets, sealingKey }: StartRequest): RunPlan {
  const hasSecrets = Object.keys(hostSecrets).length > 0;
  if (homeQueue === undefined) return plan;
  const hasStore = plan.resultsStore !== undefined;
  const sealed = hasStore && hasSecrets && sealingKey !== undefined;
  const holdsSecrets = hasSecrets && !sealed;
  return {
    ...plan,
    ...(sealed ? { sealedSecrets: true } : {}),
    ...(hasStore && !holdsSecrets ? {} : { home: { taskQueue: homeQueue, holdsSecrets } }),
  };
}

/** Returns what a worker must find; see `Preflight`. */
function expectedOfWorkers(plan: RunPlan): Preflight {
  const anyWrites = plan.resultsStore === undefined && plan.home === undefined;
  const [together, shared] = [endpointsTogether(plan), sharedEndpointsOf(plan)];
  return {
    variables: plan.home?.holdsSecrets ? [] : hostSecretsOf(plan),
    ...(anyWrites ? { machine: machineDigest() } : {}),
    ...(together === 0 ? {} : { endpointsTogether: together }),
    ...(shared === 0 ? {} : { sharedEndpoints: shared }),
  };
}

function searchAttributesOf(
  plan: RunPlan,
  { isEncrypted = false, labelAttributes = false }: StartRequest,
): TypedSearchAttributes {
  const phase = { key: defineSearchAttributeKey('EvalPhase', 'KEYWORD'), value: 'starting' };
  if (isEncrypted) return new TypedSearchAttributes([phase]);
  return new TypedSearchAttributes([
    { key: defineSearchAttributeKey('EvalModel', 'KEYWORD'), value: plan.model.slice(0, 200) },
    phase,
    { key: defineSearchAttributeKey('EvalOwner', 'KEYWORD'), value: plan.owner.slice(0, 200) },
    ...(labelAttributes && plan.name !== undefined
      ? [{ key: defineSearchAttributeKey('EvalName', 'KEYWORD'), value: plan.name }]
      : []),
    ...(labelAttributes && plan.tags !== undefined
      ? [
          {
            key: defineSearchAttributeKey('EvalTags', 'KEYWORD_LIST'),
            value: tagWords(plan.tags).map((tag) => tag.slice(0, 200)),
          },
        ]
      : []),
  ]);
}

function describePlan(plan: RunPlan): string {
  const where =
    plan.platform.kind === 'lepton' && !plan.simulated
      ? `Lepton workspace ${plan.platform.workspace}`
      : platformWords({ platform: plan.platform.kind, simulated: plan.simulated });
  const how = plan.endpoint.kind === 'existing' ? 'an existing endpoint' : 'one dedicated endpoint per task';
  return `Evaluates **${plainWords(plan.model)}** on ${where}: ${plan.tasks.length} tasks, ${how}. Results: \`${plainWords(resultsPlaceOf(plan))}\``;
}
