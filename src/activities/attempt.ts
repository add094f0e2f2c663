import { Context } from '@temporalio/activity';
import { observed } from '../contract/messages';
import { toFailure } from './failures';

/** Well below the heartbeat timeout (workflows/activity-groups.ts): a missing one means that this worker is gone. */
const heartbeatIntervalMs = 4_000;

/** Runs one attempt of an activity: whatever it throws leaves as a failure that says whether to retry. */
export async function attempt<T>(
  options: { readonly subject: string; readonly purpose: 'step' | 'teardown' },
  work: (context: { readonly signal: AbortSignal; readonly attempt: number; readonly elapsedMs: number }) => Promise<T>,
): Promise<T> {
  const { info, cancellationSignal: signal, heartbeat } = Context.current();
  const pulse = setInterval(() => heartbeat(), heartbeatIntervalMs);
  const elapsedMs = Date.now() - info.scheduledTimestampMs;
  try {
    return await work({ signal, attempt: info.attempt, elapsedMs });
  } catch (error) {
    // An aborted request is how a cancelled activity ends; the abort's own reason tells cancel and shutdown apart.
    if (signal.aborted) throw signal.reason;
    throw toFailure(error, { ...options, attempt: info.attempt });
  } finally {
    clearInterval(pulse);
  }
}

const lastObserved = new Map<string, string>();

/**
 * Tells the task's workflow what the platform shows, when it changed since this worker last told it. Best effort: the
 * message is for people, and the next look comes soon.
 */
export async function reportObservation(message: string): Promise<void> {
  const { info, client } = Context.current();
  const execution = info.workflowExecution;
  if (!execution) return;
  const key = `${execution.workflowId}/${execution.runId}/${info.activityType}`;
  if (lastObserved.get(key) === message) return;
  if (lastObserved.size > 10_000) lastObserved.clear();
  lastObserved.set(key, message);
  try {
    await client.workflow.getHandle(execution.workflowId, execution.runId).signal(observed, { message });
  } catch {
    lastObserved.delete(key);
  }
}
