import type { Info } from '@temporalio/activity';
import type { Lacking } from './elsewhere';
import { performance } from 'node:perf_hooks';

/**
 * State that one attempt of an activity passes to the next. It is kept in the heartbeat details, so it is available on any
 * worker. All times are the server's, so that no worker's clock matters.
 */
export interface Memory {
  /** Consecutive refusals. */
  readonly refusals: number;
  /** When the first of these was met, milliseconds since the epoch; `null`: the last attempt or look was not refused. */
  readonly refusedSinceMs: number | null;
  /** Workers that lacked something needed in the latest attempts; `null`: the last one could begin. */
  readonly lacking: Lacking | null;
  /** Consecutive attempts that the platform left without an answer that counts: outages, rate limits, faults of its own. */
  readonly outages: number;
  /** Earlier attempts whose outcome is known. */
  readonly answered: number;
  /** Milliseconds for which an attempt was due but no worker took it. */
  readonly idleMs: number;
  /** When the next attempt is due; `null`: unknown. */
  readonly dueMs: number | null;
}

const nothing: Memory = {
  refusals: 0,
  refusedSinceMs: null,
  lacking: null,
  outages: 0,
  answered: 0,
  idleMs: 0,
  dueMs: null,
};

/** Details of a heartbeat: progress for people, memory for the next attempt. */
export interface Heartbeat {
  readonly memory: Memory;
  readonly progress?: unknown;
}

/** Reads the memory of earlier attempts; empty for no heartbeat or one of an older build. Pure. */
export function remembered(details: unknown): Heartbeat {
  const { memory, progress } = (details ?? {}) as Partial<Heartbeat>;
  return { memory: { ...nothing, ...memory }, ...(progress === undefined ? {} : { progress }) };
}

/** A worker that takes an attempt up to this late counts as busy, not away. Milliseconds. */
const busyMs = 4_000;

type Times = Pick<Info, 'scheduledTimestampMs' | 'currentAttemptScheduledTimestampMs'>;

/** Times of one attempt. This worker's clock measures durations only; points in time are the server's. */
export class AttemptClock {
  /** Milliseconds for which no worker could act, as far as known. */
  readonly idleMs: number;

  constructor(
    private readonly times: Times,
    before: Memory,
    /** When the attempt began, as `performance.now()`. */
    private readonly startedAt = performance.now(),
  ) {
    const lateMs = before.dueMs === null ? 0 : times.currentAttemptScheduledTimestampMs - before.dueMs;
    this.idleMs = before.idleMs + (lateMs > busyMs ? lateMs : 0);
  }

  /** When this attempt was due, by the server's clock. */
  get dueMs(): number {
    return this.times.currentAttemptScheduledTimestampMs;
  }

  /** By the server's clock, but for the wait for a worker to take this attempt. */
  get nowMs(): number {
    return this.dueMs + this.spentMs;
  }

  /** Milliseconds since the attempt began. */
  get spentMs(): number {
    return performance.now() - this.startedAt;
  }

  /** Milliseconds since the activity was scheduled, without the wait for a worker to take this attempt. */
  get elapsedMs(): number {
    return Math.max(0, this.dueMs - this.times.scheduledTimestampMs) + this.spentMs;
  }
}

/** How a failed attempt, or one look of a wait, ended. */
export interface AttemptEnd {
  readonly refused: boolean;
  /** This worker among them; `null`: it could begin. */
  readonly lacking: Lacking | null;
  /** The platform answered; otherwise the request may have taken effect. */
  readonly answered: boolean;
  /** Milliseconds until the next attempt; `null`: left to the retry policy. */
  readonly delayMs: number | null;
}

/** Returns the memory for the next attempt or look. Pure but for the clock. */
export function memoryAfter(before: Memory, clock: AttemptClock, end: AttemptEnd): Memory {
  return {
    refusals: end.refused ? before.refusals + 1 : 0,
    refusedSinceMs: end.refused ? (before.refusedSinceMs ?? clock.nowMs) : null,
    lacking: end.lacking,
    // An attempt that could not begin says nothing about the platform.
    outages: end.lacking !== null ? before.outages : end.answered ? 0 : before.outages + 1,
    answered: before.answered + (end.answered ? 1 : 0),
    idleMs: clock.idleMs,
    dueMs: end.delayMs === null ? null : clock.nowMs + end.delayMs,
  };
}
