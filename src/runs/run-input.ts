import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow';
import { runWorkflowId } from '../contract/identity';
import type { RunPlan } from '../contract/plan';
import { planIn, type RunArguments } from '../contract/run-arguments';
import { answerWithinMs } from '../temporal/deadlines';
import { grpcCodeOf, grpcCodes } from '../temporal/grpc';

/** Reads the plan of a run from its history; `undefined` if Temporal no longer knows the run. */
export const planInHistory = async (client: Client, invocation: string): Promise<RunPlan | undefined> =>
  (await startOf(client, invocation))?.plan;

/** Reads the plan of a run from its history, and its run id. */
export async function startOf(
  client: Client,
  invocation: string,
): Promise<{ readonly runId: string; readonly plan: RunPlan } | undefined> {
  const { namespace, loadedDataConverter } = client.options;
  try {
    const execution = { workflowId: runWorkflowId(invocation) };
    const { history } = await client.withDeadline(Date.now() + answerWithinMs, () =>
      client.workflowService.getWorkflowExecutionHistory({ namespace, execution, maximumPageSize: 1 }),
    );
    const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
    const given = await decodeArrayFromPayloads(loadedDataConverter, started?.input?.payloads);
    if (given[0] === undefined) return undefined;
    return { runId: started?.firstExecutionRunId ?? '', plan: planIn(given as unknown as RunArguments) };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || grpcCodeOf(error) === grpcCodes.notFound) return undefined;
    throw error;
  }
}
