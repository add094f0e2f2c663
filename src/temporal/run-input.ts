import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow';
import { runWorkflowId } from '../contract/identity';
import type { RunInput } from '../contract/inputs';
import type { RunPlan } from '../contract/plan';

/** The plan that a run was started with, read from its history; `undefined` when Temporal no longer knows the run. */
export async function planInHistory(client: Client, invocation: string): Promise<RunPlan | undefined> {
  const { namespace, loadedDataConverter } = client.options;
  try {
    const { history } = await client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution: { workflowId: runWorkflowId(invocation) },
      maximumPageSize: 1,
    });
    const payloads = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads;
    const [input] = (await decodeArrayFromPayloads(loadedDataConverter, payloads)) as [RunInput?];
    return input?.plan;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || (error as { code?: unknown }).code === notFound) return undefined;
    throw error;
  }
}

const notFound = 5;
