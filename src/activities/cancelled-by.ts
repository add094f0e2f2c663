import type { Client } from '@temporalio/client';
import { temporal } from '@temporalio/proto';

/** Pages of a history that are searched. */
const mostPages = 50;

const cancelRequested = temporal.api.enums.v1.EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED;

/** Whoever gives no identity, as the Web UI does. */
export const nameless = 'somebody who gave no name (the Web UI gives none)';

/**
 * Returns the identity of the client that asked to cancel a run, e.g. `ann@laptop evalsaga/4711`, or `temporal-cli:ann@laptop`;
 * `undefined`: nobody did, as far as its history tells.
 */
export async function cancelledBy(
  client: Client,
  execution: { readonly workflowId: string; readonly runId: string },
): Promise<string | undefined> {
  const { namespace } = client.options;
  let nextPageToken: Uint8Array | null | undefined;
  for (let page = 0; page < mostPages; page += 1) {
    const answer = await client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution,
      ...(nextPageToken ? { nextPageToken } : {}),
    });
    for (const { eventType, workflowExecutionCancelRequestedEventAttributes: asked } of answer.history?.events ?? [])
      if (eventType === cancelRequested) return asked?.identity || nameless;
    nextPageToken = answer.nextPageToken;
    if (!nextPageToken || nextPageToken.length === 0) return undefined;
  }
  return undefined;
}
