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
import { isOutage } from '../temporal/grpc';
import { startOf } from './run-input';
import { RunExists } from './run-errors';

/** Milliseconds for which a start that Temporal did not answer is asked for again. */
const patienceMs = 30_000;
const pauseMs = 500;

/**
 * Has the run's workflow begin, and gives its run id. A start whose answer was lost is asked for again; when its id is
 * taken by then, it is ours if it was begun with our plan. What Temporal refused leaves no record behind.
 */
export async function startWithRetries(
  client: Client,
  { plan, home }: { readonly plan: RunPlan; readonly home: HomePaths },
  begin: () => Promise<WorkflowHandleWithFirstExecutionRunId>,
): Promise<string> {
  const deadline = Date.now() + patienceMs;
  let isUnheard = false;
  for (;;) {
    try {
      return (await begin()).firstExecutionRunId;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        const runId = isUnheard ? await ourRunId(client, plan, deadline) : undefined;
        if (runId !== undefined) return runId;
        const { invocation } = plan;
        throw new RunExists(`a run ${invocation} exists already; look at it with: evalsaga status ${invocation}`);
      }
      if (!isOutage(error)) {
        if (!isUnheard) await forgetRun(home, plan.invocation);
        throw error;
      }
      isUnheard = true;
      if (Date.now() > deadline) throw unheard(plan, error);
    }
    await sleep(pauseMs);
  }
}

/** The id of the run that was begun with exactly this plan. */
async function ourRunId(client: Client, plan: RunPlan, deadline: number): Promise<string | undefined> {
  for (;;) {
    try {
      const begun = await startOf(client, plan.invocation);
      // As it went over the wire: what is undefined is not there.
      const isOurs = begun && isDeepStrictEqual(begun.input.plan, JSON.parse(JSON.stringify(plan)));
      return isOurs ? begun.runId : undefined;
    } catch (error) {
      if (!isOutage(error)) throw error;
      if (Date.now() > deadline) throw unheard(plan, error);
    }
    await sleep(pauseMs);
  }
}

function unheard({ invocation }: RunPlan, cause: unknown): InfrastructureError {
  return new InfrastructureError(
    `Temporal did not answer when run ${invocation} was to begin, so it may have begun or not. When it answers again: ` +
      `evalsaga status ${invocation}. If it does not know the run, nothing was created; if it does, the run goes on, and can be ended with: evalsaga cancel ${invocation}`,
    { cause },
  );
}
