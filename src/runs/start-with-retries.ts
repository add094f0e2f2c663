import {
  type Client,
  type WorkflowHandleWithFirstExecutionRunId,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { RunPlan } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { forgetRun } from '../home/run-store';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { isOutage, lacksSearchAttribute } from '../temporal/grpc';
import { startOf } from './run-input';
import { RunExists } from './run-errors';

/** Milliseconds for which a start that Temporal did not answer is retried. */
const patienceMs = 30_000;
const pauseMs = 500;
/** The same for a start that is refused because a search attribute isn't known yet: twice the time after which a cluster reads it. */
const attributePatienceMs = 60_000;

/**
 * Starts the run's workflow and returns its run id. Retries a start whose answer was lost; if the id is taken by then, the
 * run is ours if it was started with our plan. Retries one whose search attributes have just been registered. If Temporal refuses the start, the run's stored record is deleted.
 */
export async function startWithRetries(
  client: Client,
  { plan, home }: { readonly plan: RunPlan; readonly home: HomePaths },
  begin: () => Promise<WorkflowHandleWithFirstExecutionRunId>,
): Promise<string> {
  const begunAt = Date.now();
  const deadline = begunAt + patienceMs;
  let hadNoAnswer = false;
  for (;;) {
    try {
      return (await begin()).firstExecutionRunId;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        const runId = hadNoAnswer ? await ourRunId(client, plan, deadline) : undefined;
        if (runId !== undefined) return runId;
        const { invocation } = plan;
        throw new RunExists(`run ${invocation} already exists; see: evalsaga status ${invocation}`);
      }
      const isEarly = lacksSearchAttribute(error) && Date.now() - begunAt < attributePatienceMs;
      if (!isEarly && !isOutage(error)) {
        if (!hadNoAnswer) await forgetRun(home, plan.invocation);
        throw error;
      }
      hadNoAnswer ||= !isEarly;
      if (!isEarly && Date.now() > deadline) throw noAnswer(plan, error);
    }
    await sleep(pauseMs);
  }
}

/** Returns the run id, if the run was started with exactly this plan. */
async function ourRunId(client: Client, plan: RunPlan, deadline: number): Promise<string | undefined> {
  for (;;) {
    try {
      const begun = await startOf(client, plan.invocation);
      // As sent: without undefined properties.
      const isOurs = begun && isDeepStrictEqual(begun.plan, JSON.parse(JSON.stringify(plan)));
      return isOurs ? begun.runId : undefined;
    } catch (error) {
      if (!isOutage(error)) throw error;
      if (Date.now() > deadline) throw noAnswer(plan, error);
    }
    await sleep(pauseMs);
  }
}

function noAnswer({ invocation }: RunPlan, cause: unknown): InfrastructureError {
  return new InfrastructureError(
    `Temporal did not answer the request to start run ${invocation}, so the run may or may not have started. Once Temporal answers again: ` +
      `evalsaga status ${invocation}. If it does not know the run, nothing was created; if it does, the run continues, and can be ended with: evalsaga cancel ${invocation}`,
    { cause },
  );
}
