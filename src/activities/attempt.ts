import { Context } from '@temporalio/activity';
import { setTimeout as sleep } from 'node:timers/promises';
import { observed } from '../contract/messages';
import { delayAfterRefusal, toFailure } from './failures';
import { fitWords } from './wording';

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
    const once = (): Promise<T> => work({ signal, attempt: info.attempt, elapsedMs });
    return await (options.purpose === 'teardown' ? pastRefusals(once, signal) : once());
  } catch (error) {
    // An aborted request is how a cancelled activity ends; the abort's own reason tells cancel and shutdown apart.
    if (signal.aborted) throw signal.reason;
    throw toFailure(error, { subject: options.subject, attempt: info.attempt });
  } finally {
    clearInterval(pulse);
  }
}

async function pastRefusals<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let refusals = 1; ; refusals += 1) {
    try {
      return await work();
    } catch (error) {
      const delayMs = delayAfterRefusal(error, refusals);
      if (signal.aborted || delayMs === undefined) throw error;
      await sleep(delayMs, undefined, { signal });
    }
  }
}

interface Told {
  readonly message: string;
  readonly atMs: number;
}
const told = new Map<string, Told>();

/**
 * Tells the task's workflow what the platform shows, when it changed since this worker last told it. Best effort: the
 * message is for people, and the next look comes soon. The longer the wait has lasted, the rarer the news (gaps of a tenth
 * of it): a state whose text changes with every look would fill the history within days.
 */
export async function reportObservation(text: string): Promise<void> {
  const { info, client } = Context.current();
  const execution = info.workflowExecution;
  if (!execution) return;
  const message = fitWords(text);
  const key = `${execution.workflowId}/${execution.runId}/${info.activityType}`;
  const nowMs = Date.now();
  const last = told.get(key);
  const gapMs = (nowMs - info.scheduledTimestampMs) / 10;
  if (last && (last.message === message || nowMs - last.atMs < gapMs)) return;
  if (told.size > 10_000) told.clear();
  told.set(key, { message, atMs: nowMs });
  try {
    await client.workflow.getHandle(execution.workflowId, execution.runId).signal(observed, { message });
  } catch {
    told.delete(key);
  }
}
