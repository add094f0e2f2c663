import { runWorkflowId, runWorkflowType } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { runArguments } from '../../src/contract/run-arguments';
import type { Scenario } from './bench';

/** Starts a run whose tasks are run by batches, however few they are. */
export async function startInBatches(scenario: Scenario, plan: RunPlan): Promise<void> {
  await scenario.client.workflow.start(runWorkflowType, {
    workflowId: runWorkflowId(plan.invocation),
    taskQueue: scenario.taskQueue,
    args: [...runArguments(plan, { searchAttributes: true, isBatched: true, preflight: { variables: [] } })],
  });
}
