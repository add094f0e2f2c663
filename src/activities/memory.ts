import type { Info } from '@temporalio/activity';
import type { Lacking } from './elsewhere';
import { performance } from 'node:perf_hooks';

/**
 * What one attempt of an activity hands to the next. It travels in the heartbeat's details, which Temporal keeps: it holds
 * whichever worker takes the next attempt. All times are the server's, so that no worker's clock matters.
 */
export interface Memory {
  /** Refusals in a row. */
  readonly refusals: number;
  /** When the first of these was due, milliseconds since the epoch; `null`: the last attempt was not refused. */
  readonly refusedSinceMs: number | null;
  /** Workers that could not even begin, in the last attempts; `null`: the last one could. */
  readonly lacking: Lacking | null;
  /** Earlier attempts whose outcome is known, whatever it was. */
  readonly answered: number;
  /** Milliseconds for which an attempt was due and no worker took it. */
  readonly idleMs: number;
  /** When the next attempt is due; `null`: unknown. */
  readonly dueMs: number | null;
}

const nothing: Memory = { refusals: 0, refusedSinceMs: null, lacking: null, answered: 0, idleMs: 0, dueMs: null };

/** Details of a heartbeat: what people see of a transfer, and what the next attempt goes by. */
export interface Heartbeat {
  readonly memory: Memory;
  readonly progress?: unknown;
}

/** What the attempts before this one knew. A heartbeat of an older build, or none, tells nothing. Pure. */
export function remembered(details: unknown): Heartbeat {
  const { memory, progress } = (details ?? {}) as Partial<Heartbeat>;
  return { memory: { ...nothing, ...memory }, ...(progress === undefined ? {} : { progress }) };
}

/** A worker that takes an attempt so late is busy, not away, milliseconds. */
const busyMs = 4_000;

type Times = Pick<Info, 'scheduledTimestampMs' | 'currentAttemptScheduledTimestampMs'>;

/** The time of one attempt. What this worker measures is a duration, never a point in time. */
export class AttemptClock {
  private readonly startedAt = performance.now();
  /** Milliseconds for which nobody could act, as far as that is known. */
  readonly idleMs: number;

  constructor(
    private readonly times: Times,
    before: Memory,
  ) {
    const lateMs = before.dueMs === null ? 0 : times.currentAttemptScheduledTimestampMs - before.dueMs;
    this.idleMs = before.idleMs + (lateMs > busyMs ? lateMs : 0);
  }

  /** When this attempt was due, by the server's clock. */
  get dueMs(): number {
    return this.times.currentAttemptScheduledTimestampMs;
  }

  /** Milliseconds since the attempt began. */
  get spentMs(): number {
    return performance.now() - this.startedAt;
  }

  /** Milliseconds since the activity was scheduled; the wait for a worker that takes this attempt is not in it. */
  get elapsedMs(): number {
    return Math.max(0, this.dueMs - this.times.scheduledTimestampMs) + this.spentMs;
  }
}

/** How an attempt ended that did not succeed. */
export interface AttemptEnd {
  readonly refused: boolean;
  /** This worker among them; `null`: it could begin. */
  readonly lacking: Lacking | null;
  /** The platform's word is known; otherwise what was asked for may have been done. */
  readonly answered: boolean;
  /** Until the next one; `null`: left to the retry policy. */
  readonly delayMs: number | null;
}

/** What the next attempt goes by. Pure but for the clock. */
export function memoryAfter(before: Memory, clock: AttemptClock, end: AttemptEnd): Memory {
  return {
    refusals: end.refused ? before.refusals + 1 : 0,
    refusedSinceMs: end.refused ? (before.refusedSinceMs ?? clock.dueMs) : null,
    lacking: end.lacking,
    answered: before.answered + (end.answered ? 1 : 0),
    idleMs: clock.idleMs,
    dueMs: end.delayMs === null ? null : clock.dueMs + clock.spentMs + end.delayMs,
  };
}
