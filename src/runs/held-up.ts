import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow';
import { runWorkflowId } from '../contract/identity';
import { toleratingUnreadable } from '../temporal/encryption/unreadable';
import { answerWithinMs } from '../temporal/deadlines';

/** Why a run has not begun: its first step, `preflight`, is tried again and again. */
export interface HeldUp {
  readonly attempts: number;
  /** The last attempt's message. */
  readonly cause: string;
}

/** Returns what keeps an open run from beginning; `undefined`: nothing, or it has begun. */
export async function heldUp(client: Client, invocation: string): Promise<HeldUp | undefined> {
  try {
    const { raw } = await client.withDeadline(Date.now() + answerWithinMs, () =>
      toleratingUnreadable(client).getHandle(runWorkflowId(invocation)).describe(),
    );
    const first = raw.pendingActivities?.find(({ activityType }) => activityType?.name === 'preflight');
    if (!first?.lastFailure) return undefined;
    const { loadedDataConverter } = client.options;
    const error = await decodeOptionalFailureToOptionalError(loadedDataConverter, first.lastFailure).catch(
      () => undefined,
    );
    return error && { attempts: Math.max(1, (first.attempt ?? 2) - 1), cause: error.message };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}
