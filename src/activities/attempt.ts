import { AsyncLocalStorage } from 'node:async_hooks';
import { Context, type Info } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time';
import { observed } from '../contract/messages';
import { isElsewhere, lackingHere } from './elsewhere';
import { isRefusal, finalIfOutOfTime, outOfTime, refusalPatienceMs, toFailure, type Purpose } from './failures';
import { AttemptClock, memoryAfter, remembered, type AttemptEnd, type Heartbeat, type Memory } from './memory';
import { fitForHistory } from './wording';

/** Well below the heartbeat timeout (workflows/activity-groups.ts), after which this worker is considered dead. */
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
  /** An earlier attempt got no answer from the platform, so its request may have taken effect. */
  readonly isAnswerMissing: boolean;
  /** Reports progress in the heartbeat, visible in the Web UI and to the next attempt. */
  readonly progress: (progress: unknown) => void;
}

interface AttemptOptions {
  readonly subject: string;
  readonly purpose: Purpose;
}

/** Runs one attempt of an activity and turns anything it throws into a failure that says whether to retry. */
export async function attempt<T>(options: AttemptOptions, work: (context: Attempt) => Promise<T>): Promise<T> {
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
    // A cancelled activity ends with an aborted request; the signal's reason distinguishes cancel from shutdown.
    if (cancellationSignal.aborted) throw cancellationSignal.reason;
    const failure = failureOf(time.over.aborted ? time.over.reason : error, {
      options,
      memory,
      clock,
      isAnswerMissing,
    });
    // The activity keeps retrying for minutes: show the refusal now, so that the user can fix the token meanwhile.
    if ((isRefusal(error) || isElsewhere(error)) && !isFinal(failure)) await reportObservation(failure.message);
    const last = finalIfOutOfTime(failure, { elapsedMs: clock.elapsedMs, idleMs: clock.idleMs, budgetMs });
    if (!isFinal(last))
      tell({ memory: memoryAfter(memory, clock, endOf({ error, last, memory, clock, isOver: time.over.aborted })) });
    throw last;
  } finally {
    clearInterval(pulse);
    time.clear();
  }
}

interface FailedAttempt {
  readonly options: AttemptOptions;
  readonly memory: Memory;
  readonly clock: AttemptClock;
  readonly isAnswerMissing: boolean;
}

const keyOf = ({ workflowExecution, activityId }: Info): string => `${workflowExecution?.runId}/${activityId}`;

function failureOf(error: unknown, { options, memory, clock, isAnswerMissing }: FailedAttempt): Error {
  return toFailure(error, {
    ...options,
    outages: memory.outages + 1,
    refusals: memory.refusals + 1,
    refusedForMs: memory.refusedSinceMs === null ? 0 : clock.dueMs - memory.refusedSinceMs,
    patienceMs: patience.getStore() ?? refusalPatienceMs,
    isAnswerMissing,
    lacking: lackingHere(memory.lacking, clock),
    dueMs: clock.dueMs,
  });
}

const isFinal = (failure: unknown): boolean => failure instanceof ApplicationFailure && failure.nonRetryable === true;

interface AttemptFailure {
  readonly error: unknown;
  readonly last: unknown;
  readonly memory: Memory;
  readonly clock: AttemptClock;
  readonly isOver: boolean;
}

function endOf({ error, last, memory, clock, isOver }: AttemptFailure): AttemptEnd {
  const refused = isRefusal(error);
  const isOwn = last instanceof ApplicationFailure;
  const delayMs = isOwn && last.nextRetryDelay !== undefined ? msToNumber(last.nextRetryDelay) : null;
  // An ApplicationFailure is thrown only after an answer from the platform.
  const answered = !isOver && (refused || isElsewhere(error) || error instanceof ApplicationFailure);
  return { refused, lacking: isElsewhere(error) ? lackingHere(memory.lacking, clock) : null, answered, delayMs };
}

/**
 * Ends an unanswered attempt just before Temporal would. A worker that saw the budget run out gives a verdict; a timeout by
 * Temporal alone does not, and starts a fresh budget (workflows/activity-groups.ts).
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

/** Node fires a timer with a longer delay at once. Milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

const patience = new AsyncLocalStorage<number>();

/** Returns the activities with refusals retried for `ms` milliseconds; `undefined`: `refusalPatienceMs`. */
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

export interface LastReport {
  readonly message: string;
  readonly atMs: number;
}
const lastReports = new Map<string, LastReport>();
/** Short, because the next poll waits for it. */
const reportTimeoutMs = 5_000;

/**
 * Whether an observation is worth a signal: its text changed, and a tenth of the time waited so far has passed since the last
 * report. Otherwise a text that changes on every poll would fill the history within days. Pure.
 */
export function isWorthReporting(
  look: { readonly message: string; readonly nowMs: number; readonly sinceMs: number },
  last: LastReport | undefined,
): boolean {
  if (!last) return true;
  return last.message !== look.message && look.nowMs - last.atMs >= (look.nowMs - look.sinceMs) / 10;
}

/**
 * Signals an observed state to the task's workflow if it changed since this worker's last report. Best effort: the message is
 * informational, and the next poll follows soon.
 */
export async function reportObservation(text: string): Promise<void> {
  const { info, client } = Context.current();
  const execution = info.workflowExecution;
  if (!execution) return;
  const message = fitForHistory(text);
  const key = `${execution.workflowId}/${execution.runId}/${info.activityType}`;
  const nowMs = Date.now();
  const waitedMs = Math.max(0, info.currentAttemptScheduledTimestampMs - info.scheduledTimestampMs);
  if (!isWorthReporting({ message, nowMs, sinceMs: nowMs - waitedMs }, lastReports.get(key))) return;
  if (lastReports.size > 10_000) lastReports.clear();
  lastReports.set(key, { message, atMs: nowMs });
  try {
    const task = client.workflow.getHandle(execution.workflowId, execution.runId);
    await client.withDeadline(nowMs + reportTimeoutMs, () => task.signal(observed, { message }));
  } catch {
    lastReports.delete(key);
  }
}
