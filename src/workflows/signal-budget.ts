/**
 * Limits the progress signals that tasks send to their run. Each signal adds four events to the run's history (its own and
 * those of the workflow task it triggers). Temporal terminates a run beyond 51,200 events or 10,000 signals. Pure.
 */

/** The part of a run's events and signals that its tasks share; the rest is reserve. */
const shared = { events: 40_000, signals: 8_000 } as const;
const eventsOfSignal = 4;
/** Measured events per task: start (5), Ready (4), job start (5), end (4), and some for restarts. */
const eventsOfTask = 22;
/** Further events per task with a budget: three signals that change the run's cost rate, each of which resets a timer. */
const eventsOfCosts = 20;
/** Signals per task in a small run. */
const most = 60;

/** Signals reserved for phase changes, so that the messages of a long wait can't use them up. */
export const signalsForPhases = 7;

/** The progress signals that a task has sent so far. Times in milliseconds since the epoch. */
export interface SignalUsage {
  readonly sent: number;
  /** How many may be sent in all. */
  readonly allowed: number;
  readonly startedAt: number;
  /** When the last signal for a message alone was sent. */
  readonly lastMessageAt: number;
}

/**
 * Whether a new message alone is signalled to the run: always at first, then ever more rarely, so that days of changing
 * messages don't fill its history. The next phase change carries the message anyway.
 */
export function shouldSignalMessage({ sent, allowed, startedAt, lastMessageAt }: SignalUsage, nowMs: number): boolean {
  if (sent >= allowed - signalsForPhases) return false;
  return sent < allowed / 3 || nowMs - lastMessageAt > (nowMs - startedAt) / 4;
}

/** Returns how many progress signals each task may send, besides those that are always sent. */
export function signalsPerTask({ tasks, isCounted }: { readonly tasks: number; readonly isCounted: boolean }): number {
  const spent = eventsOfTask + (isCounted ? eventsOfCosts : 0);
  const signals = 1 + (isCounted ? 3 : 0);
  const byEvents = Math.floor((shared.events / tasks - spent) / eventsOfSignal);
  const bySignals = Math.floor(shared.signals / tasks) - signals;
  return Math.max(0, Math.min(most, byEvents, bySignals));
}
