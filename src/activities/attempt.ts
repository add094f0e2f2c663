import { AsyncLocalStorage } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';
import { Context, type Info } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time';
import { isElsewhere, lackingHere } from './elsewhere';
import {
  isRefusal,
  finalIfOutOfTime,
  notReady,
  outOfTime,
  refusalPatienceMs,
  toFailure,
  type Purpose,
} from './failures';
import { AttemptClock, memoryAfter, remembered, type AttemptEnd, type Heartbeat, type Memory } from './memory';
import { reportObservation, waiting } from './news';
import {
  admitWait,
  endWaitsOf,
  following,
  pause,
  pauseBeforeNextLook,
  registerWait,
  type Subscribe,
  unlessAborted,
  WaitEnded,
  Waker,
} from './staying';
import { fitForHistory } from './wording';

/** Longest heartbeat interval; never more than a quarter of the heartbeat timeout, after which Temporal considers the worker dead. */
const heartbeatIntervalMs = 7_500;

export interface Attempt {
  /** The same for all attempts of the activity, on every worker. */
  readonly activity: string;
  /** Aborted when the activity is cancelled, its worker shuts down, or its time is up. */
  readonly signal: AbortSignal;
  /** Starts at 1. */
  readonly attempt: number;
  /** Milliseconds since the activity was scheduled, earlier attempts included. */
  readonly elapsedMs: number;
  /** An earlier attempt got no answer from the platform, so its request may have taken effect. */
  readonly isAnswerMissing: boolean;
  /** Reports progress in the heartbeat, visible in the Web UI and to the next attempt. */
  readonly progress: (progress: unknown) => void;
  /** Ends the pause before the next poll of a wait early, if `subscribe` calls back then or during this poll. */
  readonly wakeOn: (subscribe: Subscribe) => void;
}

interface AttemptOptions {
  readonly subject: string;
  readonly purpose: Purpose;
  /**
   * The work polls something once: after NotReady the attempt pauses and polls again, as long as it has time. The signal ends
   * the poll as soon as the worker is told to shut down.
   */
  readonly isWait?: boolean;
}

/** Runs one attempt of an activity and turns every error into a failure that says whether to retry. */
export async function attempt<T>(options: AttemptOptions, work: (context: Attempt) => Promise<T>): Promise<T> {
  const run = new AttemptRun(options);
  try {
    return await run.toItsEnd(work);
  } finally {
    run.close();
  }
}

/** One attempt: a single call of the work or, for a wait, one poll (`look`) after another. */
class AttemptRun {
  private readonly context = Context.current();
  private readonly info = this.context.info;
  private beat: Heartbeat = remembered(this.info.heartbeatDetails);
  private memory: Memory = this.beat.memory;
  private readonly clock = new AttemptClock(this.info, this.memory, startOf(this.context));
  private readonly time: TimeLeft;
  private readonly isAnswerMissing = this.info.attempt - 1 > this.memory.answered;
  private readonly pulse = setInterval(() => this.tell({}), pulseMs(this.info));
  private readonly leave: (() => void) | undefined;
  private readonly stays: boolean;
  private readonly wait: ReturnType<typeof registerWait> | undefined;
  private readonly stop: ReturnType<typeof following>;
  private readonly waker = new Waker();
  private isAdmitted = false;

  constructor(private readonly options: AttemptOptions) {
    const { info, clock } = this;
    const { subject, purpose, isWait } = options;
    this.time = timeLeft({ budgetMs: info.scheduleToCloseTimeoutMs, clock, subject });
    const workflowRun = info.workflowExecution?.runId ?? '';
    if (purpose === 'teardown' || purpose === 'endpoint log' || purpose === 'job log') endWaitsOf(workflowRun);
    // A retry policy with a single attempt asks for a single poll.
    this.leave = isWait === true && info.retryPolicy?.maximumAttempts !== 1 ? admitWait() : undefined;
    this.stays = this.leave !== undefined;
    this.wait = this.stays && purpose === 'reading' ? registerWait(workflowRun) : undefined;
    const ending = this.stays ? settings.getStore()?.ending : undefined;
    this.stop = following([this.context.cancellationSignal, this.time.over, this.wait?.signal, ending]);
  }

  async toItsEnd<T>(work: (context: Attempt) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await this.look(work);
      } catch (error) {
        const pauseMs = await this.settle(error);
        // Once stopped, `settle` always throws.
        await pause(pauseMs, this.stop.signal, this.waker.subscribe).catch((stopped: unknown) => this.settle(stopped));
      }
    }
  }

  close(): void {
    clearInterval(this.pulse);
    this.time.clear();
    this.leave?.();
    this.wait?.end();
    this.waker.close();
    this.stop.close();
  }

  private look<T>(work: (context: Attempt) => Promise<T>): Promise<T> {
    this.waker.rest();
    const { info, clock, isAnswerMissing } = this;
    const { signal } = this.stop;
    const progress = (seen: unknown): void => this.tell({ progress: seen });
    const context: Attempt = {
      activity: keyOf(info),
      signal,
      attempt: info.attempt,
      isAnswerMissing,
      progress,
      wakeOn: (subscribe) => this.waker.listen(subscribe),
      get elapsedMs() {
        return clock.elapsedMs;
      },
    };
    const looking = waiting.run({ elapsedMs: () => clock.elapsedMs, isOver: () => signal.aborted }, async () => {
      await this.beAdmitted();
      return work(context);
    });
    // A poll can be abandoned: the next one sees the same. The answer to a change is awaited until the time is up.
    return unlessAborted(looking, this.stays ? signal : this.time.over);
  }

  private async beAdmitted(): Promise<void> {
    if (this.isAdmitted) return;
    await settings.getStore()?.admit?.(this.stop.signal);
    this.isAdmitted = true;
  }

  /** Throws the failure that ends the attempt, or returns the pause until the next poll, milliseconds. */
  private async settle(error: unknown): Promise<number> {
    const { options, clock, time, context, info } = this;
    // A cancelled activity ends with an aborted request; the signal's reason distinguishes cancel from shutdown.
    if (context.cancellationSignal.aborted) throw context.cancellationSignal.reason;
    const { isAnswerMissing, memory } = this;
    const cause: unknown = time.over.aborted ? time.over.reason : this.whyStopped(error);
    const failure = failureOf(cause, { options, memory, clock, isAnswerMissing });
    // The activity keeps retrying for minutes: show the refusal now, so that the user can fix the token meanwhile.
    if ((isRefusal(error) || isElsewhere(error)) && !isFinal(failure)) await reportObservation(failure.message);
    const budgetMs = info.scheduleToCloseTimeoutMs;
    const last = finalIfOutOfTime(failure, { elapsedMs: clock.elapsedMs, idleMs: clock.idleMs, budgetMs });
    if (isFinal(last)) throw last;
    const end = endOf({ error, last, memory, clock, isOver: time.over.aborted });
    const after = memoryAfter(memory, clock, end);
    const spent = { spentMs: clock.spentMs, startToCloseMs: info.startToCloseTimeoutMs };
    const pauseMs = this.stays && !this.stop.signal.aborted ? pauseBeforeNextLook(last, spent) : undefined;
    // The attempt goes on, so it doesn't count as an answered earlier attempt yet.
    this.memory = pauseMs === undefined ? after : { ...after, answered: memory.answered };
    if (pauseMs === undefined) {
      this.tell({ memory: this.memory });
      throw last;
    }
    // The next heartbeat takes it along. Each is a write to Temporal's database, and hundreds of waits begin at once.
    this.beat = { memory: this.memory, progress: fitForHistory((last as Error).message) };
    return pauseMs;
  }

  /** Replaces the error of a poll that was aborted because its wait ends: it says nothing about the platform. */
  private whyStopped(error: unknown): unknown {
    const reason: unknown = this.stop.signal.reason;
    if (!(reason instanceof WaitEnded) || isFinal(error)) return error;
    return notReady(`${this.options.subject}: ${reason.message}`, 100);
  }

  private tell(change: Partial<Heartbeat>): void {
    this.context.heartbeat((this.beat = { ...this.beat, ...change }));
  }
}

/** Start times of attempts: an activity may call `attempt` several times, one after the other. */
const starts = new WeakMap<Context, number>();

function startOf(context: Context): number {
  const start = starts.get(context) ?? performance.now();
  starts.set(context, start);
  return start;
}

const pulseMs = ({ heartbeatTimeoutMs = 0 }: Info): number =>
  heartbeatTimeoutMs > 0 ? Math.min(heartbeatTimeoutMs / 4, heartbeatIntervalMs) : heartbeatIntervalMs;

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
    refusedForMs: memory.refusedSinceMs === null ? 0 : clock.nowMs - memory.refusedSinceMs,
    patienceMs: settings.getStore()?.refusalPatienceMs ?? refusalPatienceMs,
    isAnswerMissing,
    lacking: lackingHere(memory.lacking, clock),
    nowMs: clock.nowMs,
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
 * Ends an unanswered attempt just before Temporal would. If a worker sees the budget run out, the failure is final; after a
 * timeout by Temporal alone, a fresh budget starts (workflows/activity-groups.ts).
 */
function timeLeft({ budgetMs, clock, subject }: { budgetMs: number; clock: AttemptClock; subject: string }): TimeLeft {
  const over = new AbortController();
  const leftMs = Math.max(0, budgetMs - clock.elapsedMs - Math.min(1_000, budgetMs / 10));
  if (budgetMs <= 0 || leftMs > longestTimerMs) return { over: over.signal, clear: () => undefined };
  const timer = setTimeout(() => over.abort(outOfTime(subject)), leftMs);
  return { over: over.signal, clear: () => clearTimeout(timer) };
}

interface TimeLeft {
  readonly over: AbortSignal;
  readonly clear: () => void;
}

/** Node fires a timer with a longer delay at once. Milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

/** Settings of a worker for all its activities. */
export interface WorkerSettings {
  /** Milliseconds for which refusals are retried; default: `refusalPatienceMs` of failures.ts. */
  readonly refusalPatienceMs?: number | undefined;
  /** Aborted with a `WaitEnded` when the worker is told to shut down: waits then continue on another worker. */
  readonly ending?: AbortSignal | undefined;
  /** Called before an attempt does anything. Throws `NotOnThisWorker` if this worker has to leave it to others. */
  readonly admit?: ((signal: AbortSignal) => Promise<void>) | undefined;
}

const settings = new AsyncLocalStorage<WorkerSettings>();

/** Returns the activities, to be run with these settings. */
export function withSettings<T extends Readonly<Record<string, (input: never) => Promise<unknown>>>>(
  activities: T,
  chosen: WorkerSettings,
): T {
  // Each wait adds a listener.
  if (chosen.ending) setMaxListeners(0, chosen.ending);
  const set = Object.entries(activities).map(
    ([name, activity]) => [name, (input: never) => settings.run(chosen, () => activity(input))] as const,
  );
  return Object.fromEntries(set) as unknown as T;
}
