import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow';
import { runWorkflowId } from '../contract/identity';
import type { RunInput } from '../contract/inputs';
import type { RunPlan } from '../contract/plan';
import { answerWithinMs } from '../temporal/deadlines';
import { grpcCodeOf, grpcCodes } from '../temporal/grpc';

/** Reads the plan of a run from its history; `undefined` if Temporal no longer knows the run. */
export const planInHistory = async (client: Client, invocation: string): Promise<RunPlan | undefined> =>
  (await startOf(client, invocation))?.input.plan;

/** Reads the input of a run from its history, and its run id. */
export async function startOf(
  client: Client,
  invocation: string,
): Promise<{ readonly runId: string; readonly input: RunInput } | undefined> {
  const { namespace, loadedDataConverter } = client.options;
  try {
    const execution = { workflowId: runWorkflowId(invocation) };
    const { history } = await client.withDeadline(Date.now() + answerWithinMs, () =>
      client.workflowService.getWorkflowExecutionHistory({ namespace, execution, maximumPageSize: 1 }),
    );
    const started = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
    const [input] = (await decodeArrayFromPayloads(loadedDataConverter, started?.input?.payloads)) as [RunInput?];
    return input && { runId: started?.firstExecutionRunId ?? '', input };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || grpcCodeOf(error) === grpcCodes.notFound) return undefined;
    throw error;
  }
}
