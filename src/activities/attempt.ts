import { AsyncLocalStorage } from 'node:async_hooks';
import { Context, type Info } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time';
import { observed } from '../contract/messages';
import { isElsewhere, lackingHere } from './elsewhere';
import { isRefusal, lastInTime, outOfTime, refusalPatienceMs, toFailure, type Purpose } from './failures';
import { AttemptClock, memoryAfter, remembered, type AttemptEnd, type Heartbeat, type Memory } from './memory';
import { fitWords } from './wording';

/** Well below the heartbeat timeout (workflows/activity-groups.ts): a missing one means that this worker is gone. */
const heartbeatIntervalMs = 4_000;

export interface Attempt {
  /** The same for all attempts of the activity, on every worker. */
  readonly activity: string;
  /** Aborted when the activity is cancelled, its worker ends, or its time is over. */
  readonly signal: AbortSignal;
  /** From 1. */
  readonly attempt: number;
  /** Milliseconds since the activity was scheduled, earlier attempts included. */
  readonly elapsedMs: number;
  /** An earlier attempt ended without a word of the platform: what it asked for may have been done. */
  readonly isAnswerMissing: boolean;
  /** Shows how far it is; the next attempt, and whoever looks at the activity, sees the last one. */
  readonly progress: (progress: unknown) => void;
}

interface Attempted {
  readonly subject: string;
  readonly purpose: Purpose;
}

/** Runs one attempt of an activity: whatever it throws leaves as a failure that says whether to retry. */
export async function attempt<T>(options: Attempted, work: (context: Attempt) => Promise<T>): Promise<T> {
  const { info, cancellationSignal, heartbeat } = Context.current();
  let beat: Heartbeat = remembered(info.heartbeatDetails);
  const { memory } = beat;
  const clock = new AttemptClock(info, memory);
  const budgetMs = info.scheduleToCloseTimeoutMs;
  const tell = (change: Partial<Heartbeat>): void => heartbeat((beat = { ...beat, ...change }));
  const pulse = setInterval(() => tell({}), heartbeatIntervalMs);
  const time = timeLeft({ budgetMs, clock, subject: options.subject });
  const isAnswerMissing = info.attempt - 1 > memory.answered;
  try {
    const signal = AbortSignal.any([cancellationSignal, time.over]);
    const progress = (seen: unknown): void => tell({ progress: seen });
    const { elapsedMs } = clock;
    const context = { activity: keyOf(info), signal, attempt: info.attempt, elapsedMs, isAnswerMissing, progress };
    return await Promise.race([work(context), time.up]);
  } catch (error) {
    // An aborted request is how a cancelled activity ends; the abort's own reason tells cancel and shutdown apart.
    if (cancellationSignal.aborted) throw cancellationSignal.reason;
    const failure = failureOf(time.over.aborted ? time.over.reason : error, {
      options,
      memory,
      clock,
      isAnswerMissing,
    });
    // The wait goes on for a while: whoever can mend the token should see it now, not in the verdict.
    if ((isRefusal(error) || isElsewhere(error)) && !isFinal(failure)) await reportObservation(failure.message);
    const last = lastInTime(failure, { elapsedMs: clock.elapsedMs, idleMs: clock.idleMs, budgetMs });
    if (!isFinal(last))
      tell({ memory: memoryAfter(memory, clock, endOf({ error, last, memory, clock, isOver: time.over.aborted })) });
    throw last;
  } finally {
    clearInterval(pulse);
    time.clear();
  }
}

interface Failing {
  readonly options: Attempted;
  readonly memory: Memory;
  readonly clock: AttemptClock;
  readonly isAnswerMissing: boolean;
}

const keyOf = ({ workflowExecution, activityId }: Info): string => `${workflowExecution?.runId}/${activityId}`;

function failureOf(error: unknown, { options, memory, clock, isAnswerMissing }: Failing): Error {
  return toFailure(error, {
    ...options,
    attempt: Context.current().info.attempt,
    refusals: memory.refusals + 1,
    refusedForMs: memory.refusedSinceMs === null ? 0 : clock.dueMs - memory.refusedSinceMs,
    patienceMs: patience.getStore() ?? refusalPatienceMs,
    isAnswerMissing,
    lacking: lackingHere(memory.lacking, clock),
    dueMs: clock.dueMs,
  });
}

const isFinal = (failure: unknown): boolean => failure instanceof ApplicationFailure && failure.nonRetryable === true;

interface Ending {
  readonly error: unknown;
  readonly last: unknown;
  readonly memory: Memory;
  readonly clock: AttemptClock;
  readonly isOver: boolean;
}

function endOf({ error, last, memory, clock, isOver }: Ending): AttemptEnd {
  const refused = isRefusal(error);
  const isOwn = last instanceof ApplicationFailure;
  const delayMs = isOwn && last.nextRetryDelay !== undefined ? msToNumber(last.nextRetryDelay) : null;
  // What an activity throws of its own accord it has seen on the platform.
  const answered = !isOver && (refused || isElsewhere(error) || error instanceof ApplicationFailure);
  return { refused, lacking: isElsewhere(error) ? lackingHere(memory.lacking, clock) : null, answered, delayMs };
}

/**
 * Ends an attempt that the platform leaves without an answer just before Temporal would: a budget that is seen to run out is
 * a verdict, one that Temporal ends unseen is none (workflows/activity-groups.ts).
 */
function timeLeft({ budgetMs, clock, subject }: { budgetMs: number; clock: AttemptClock; subject: string }) {
  const over = new AbortController();
  const leftMs = Math.max(0, budgetMs - clock.elapsedMs - Math.min(1_000, budgetMs / 10));
  if (budgetMs <= 0 || leftMs > longestTimerMs)
    return { over: over.signal, up: new Promise<never>(() => undefined), clear: () => undefined };
  let clear = (): void => undefined;
  const up = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => {
      over.abort(outOfTime(subject));
      reject(over.signal.reason as Error);
    }, leftMs);
    clear = () => clearTimeout(timer);
  });
  up.catch(() => undefined);
  return { over: over.signal, up, clear: () => clear() };
}

/** Beyond it a timer of Node's fires at once. */
const longestTimerMs = 2 ** 31 - 1;

const patience = new AsyncLocalStorage<number>();

/** The same activities, which outlive refusals for `ms`. */
export function withPatience<T extends Readonly<Record<string, (input: never) => Promise<unknown>>>>(
  activities: T,
  ms: number | undefined,
): T {
  if (ms === undefined) return activities;
  const patient = Object.entries(activities).map(
    ([name, activity]) => [name, (input: never) => patience.run(ms, () => activity(input))] as const,
  );
  return Object.fromEntries(patient) as unknown as T;
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
  const waitedMs = Math.max(0, info.currentAttemptScheduledTimestampMs - info.scheduledTimestampMs);
  if (!isNews({ message, nowMs, sinceMs: nowMs - waitedMs }, told.get(key))) return;
  if (told.size > 10_000) told.clear();
  told.set(key, { message, atMs: nowMs });
  try {
    const task = client.workflow.getHandle(execution.workflowId, execution.runId);
    await client.withDeadline(nowMs + tellWithinMs, () => task.signal(observed, { message }));
  } catch {
    told.delete(key);
  }
}
