import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow';
import { runWorkflowId } from '../contract/identity';
import type { RunInput } from '../contract/inputs';
import type { RunPlan } from '../contract/plan';
import { answerWithinMs } from '../temporal/deadlines';
import { grpcCodeOf, grpcCodes } from '../temporal/grpc';

/** The plan that a run was started with, read from its history; `undefined` when Temporal no longer knows the run. */
export const planInHistory = async (client: Client, invocation: string): Promise<RunPlan | undefined> =>
  (await startOf(client, invocation))?.input.plan;

/** What a run was started with, and the id that Temporal gave it. */
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
    const begun = history?.events?.[0]?.workflowExecutionStartedEventAttributes;
    const [input] = (await decodeArrayFromPayloads(loadedDataConverter, begun?.input?.payloads)) as [RunInput?];
    return input && { runId: begun?.firstExecutionRunId ?? '', input };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || grpcCodeOf(error) === grpcCodes.notFound) return undefined;
    throw error;
  }
}
