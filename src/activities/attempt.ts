import { Context, type Info } from '@temporalio/activity';
import { observed } from '../contract/messages';
import { isRefusal, lastInTime, toFailure, type Purpose } from './failures';
import { fitWords } from './wording';

/** Well below the heartbeat timeout (workflows/activity-groups.ts): a missing one means that this worker is gone. */
const heartbeatIntervalMs = 4_000;

export interface Attempt {
  /** The same for all attempts of the activity, on every worker. */
  readonly activity: string;
  /** Aborted when the activity is cancelled or its worker ends. */
  readonly signal: AbortSignal;
  /** From 1. */
  readonly attempt: number;
  /** Milliseconds since the activity was scheduled, earlier attempts included. */
  readonly elapsedMs: number;
}

/** Runs one attempt of an activity: whatever it throws leaves as a failure that says whether to retry. */
export async function attempt<T>(
  options: { readonly subject: string; readonly purpose: Purpose },
  work: (context: Attempt) => Promise<T>,
): Promise<T> {
  const { info, cancellationSignal: signal, heartbeat } = Context.current();
  const pulse = setInterval(() => heartbeat(), heartbeatIntervalMs);
  const elapsedMs = Date.now() - info.scheduledTimestampMs;
  try {
    return await work({ activity: keyOf(info), signal, attempt: info.attempt, elapsedMs });
  } catch (error) {
    // An aborted request is how a cancelled activity ends; the abort's own reason tells cancel and shutdown apart.
    if (signal.aborted) throw signal.reason;
    const failure = toFailure(error, { ...options, attempt: info.attempt, refusals: refusalsOf(info, error) });
    // The wait goes on for a while: whoever can mend the token should see it now, not in the verdict.
    if (options.purpose === 'reading' && isRefusal(error)) await reportObservation(failure.message);
    const spentMs = Date.now() - info.scheduledTimestampMs;
    throw lastInTime(failure, { elapsedMs: spentMs, budgetMs: info.scheduleToCloseTimeoutMs });
  } finally {
    clearInterval(pulse);
  }
}

/** Refusals in a row, by activity, as far as this worker saw them: another one counts anew, within the same budget. */
const refused = new Map<string, number>();

const keyOf = ({ workflowExecution, activityId }: Info): string => `${workflowExecution?.runId}/${activityId}`;

function refusalsOf(info: Info, error: unknown): number {
  const key = keyOf(info);
  const count = isRefusal(error) ? (refused.get(key) ?? 0) + 1 : 0;
  if (refused.size > 10_000) refused.clear();
  if (count === 0) refused.delete(key);
  else refused.set(key, count);
  return count;
}

export interface Told {
  readonly message: string;
  readonly atMs: number;
}
const told = new Map<string, Told>();
/** The next look must not wait for people's news. */
const tellWithinMs = 5_000;

/**
 * Whether a look is worth a signal: it differs from the last one told, and the longer the wait has lasted, the rarer the
 * news (gaps of a tenth of it). A state whose text changes with every look would fill the history within days. Pure.
 */
export function isNews(
  look: { readonly message: string; readonly nowMs: number; readonly sinceMs: number },
  last: Told | undefined,
): boolean {
  if (!last) return true;
  return last.message !== look.message && look.nowMs - last.atMs >= (look.nowMs - look.sinceMs) / 10;
}

/**
 * Tells the task's workflow what the platform shows, when it changed since this worker last told it. Best effort: the
 * message is for people, and the next look comes soon.
 */
export async function reportObservation(text: string): Promise<void> {
  const { info, client } = Context.current();
  const execution = info.workflowExecution;
  if (!execution) return;
  const message = fitWords(text);
  const key = `${execution.workflowId}/${execution.runId}/${info.activityType}`;
  const nowMs = Date.now();
  if (!isNews({ message, nowMs, sinceMs: info.scheduledTimestampMs }, told.get(key))) return;
  if (told.size > 10_000) told.clear();
  told.set(key, { message, atMs: nowMs });
  try {
    const task = client.workflow.getHandle(execution.workflowId, execution.runId);
    await client.withDeadline(nowMs + tellWithinMs, () => task.signal(observed, { message }));
  } catch {
    told.delete(key);
  }
}
