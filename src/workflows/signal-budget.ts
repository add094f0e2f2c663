/**
 * How much of its tasks' courses a run hears. Each signal costs the run's history four events (itself, and the workflow
 * task that it causes), of which Temporal takes 51,200, and it takes 10,000 signals: a run beyond that is ended by the
 * server. Pure.
 */

/** Of a run's events and signals, what its tasks share; the rest is for a course that was not foreseen. */
const shared = { events: 40_000, signals: 8_000 } as const;
const eventsOfSignal = 4;
/** Of each task, measured: its start (5), Ready (4), the start of its job (5), its end (4), and some for restarts. */
const eventsOfTask = 22;
/** With a budget: three more signals that change what the run costs, and a timer thought of anew each time. */
const eventsOfCosts = 20;
/** What a small run hears of each task. */
const most = 60;

/** Kept for phases: a task waits long, and its messages would use up all that the run may hear. */
export const newsForPhases = 7;

/** What a task has said, when it wonders whether to say more. Milliseconds since the epoch. */
export interface Said {
  /** Changes told so far, and how many may be. */
  readonly told: number;
  readonly news: number;
  readonly startedAt: number;
  /** When a message alone was told last. */
  readonly notedAt: number;
}

/**
 * Whether the run is told of a message alone: while there were few, then ever more rarely (the next phase tells it anyway),
 * so that days of changing messages don't fill its history.
 */
export function isWorthTelling({ told, news, startedAt, notedAt }: Said, nowMs: number): boolean {
  if (told >= news - newsForPhases) return false;
  return told < news / 3 || nowMs - notedAt > (nowMs - startedAt) / 4;
}

/** How many changes each task may tell its run of, besides those that are never left out. */
export function newsOfTask({ tasks, isCounted }: { readonly tasks: number; readonly isCounted: boolean }): number {
  const spent = eventsOfTask + (isCounted ? eventsOfCosts : 0);
  const signals = 1 + (isCounted ? 3 : 0);
  const byEvents = Math.floor((shared.events / tasks - spent) / eventsOfSignal);
  const bySignals = Math.floor(shared.signals / tasks) - signals;
  return Math.max(0, Math.min(most, byEvents, bySignals));
}
