import { ActivityCancellationType, patched, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { timedOutUnretryably, timedOutWithoutAttempt } from './failures';

/**
 * Activity options, grouped by the guarantee their caller needs. `summary` is the line shown in the Web UI. Every activity
 * heartbeats, and a missed heartbeat reveals a dead worker.
 *
 * `cancellationType` is always explicit: the SDK's default is TRY_CANCEL, under which a create could still be running
 * while its own compensation runs.
 */
const heartbeatTimeout = '15s';

/** How long a change to the platform is retried, seconds. */
const changeSeconds = 1_800;

/** Changes the platform. A cancel waits for the outcome, because compensation depends on what was created. */
export const change = (summary: string, seconds = changeSeconds): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '90s',
    scheduleToCloseTimeout: seconds * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/**
 * Waits for minutes to hours: the attempt stays in its worker and looks again and again, without any traffic here but for
 * heartbeats. Must run inside `withDeadline`: the timeout set here exceeds `deadlineSeconds` and is only a backstop.
 */
export const poll = (summary: string, deadlineSeconds: number): Activities =>
  proxyActivities<Activities>({
    // Every now and then another attempt, maybe on another worker: what a worker knows of the server's time stays exact.
    startToCloseTimeout: '30m',
    scheduleToCloseTimeout: (deadlineSeconds + 600) * 1000,
    heartbeatTimeout: '30s',
    retry: { initialInterval: '5s', backoffCoefficient: 1 },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary,
  });

/** A single attempt, for information that the caller can do without. */
export const tryOnce = (summary: string, seconds = 30): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: seconds * 1000,
    scheduleToCloseTimeout: seconds * 1000,
    heartbeatTimeout,
    retry: { maximumAttempts: 1 },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary,
  });

/**
 * Retries until the activity succeeds or `seconds` have passed; one attempt may wait for a removal to take effect. For
 * non-cancellable scopes only.
 */
export const ensure = (summary: string, seconds: number): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '5m',
    scheduleToCloseTimeout: seconds * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** Long work: one attempt may use all of `seconds`, and the next resumes where it stopped. */
export const longRunning = (summary: string, seconds: number): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: seconds * 1000,
    scheduleToCloseTimeout: seconds * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** How long `bestEffort` tries, seconds. */
export const bestEffortSeconds = 600;

/** Best effort with minutes to spare: nothing that costs money waits for it. */
export const bestEffort = (summary: string, seconds = bestEffortSeconds): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: Math.min(480, seconds) * 1000,
    scheduleToCloseTimeout: seconds * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '1s', maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** Best effort while something that costs money waits: the activity limits its own retries (activities/failures.ts). */
export const briefBestEffort = (summary: string): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: '5m',
    heartbeatTimeout,
    retry: { initialInterval: '1s', maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** Cap on the doubling budget, seconds: a day without a worker takes about fifty rounds. */
const maxBudgetSeconds = 1_800;

/**
 * Runs `run`, and repeats it with a fresh budget whenever the budget ran out while no worker could act: time in which nothing
 * was attempted must not count as failure. The budget (seconds) doubles each round, up to half an hour. `mayRepeat`: asked before each
 * repetition, where older histories have none.
 */
export async function withFreshBudgets<T>(
  budget: number,
  run: (budget: number, round: number) => Promise<T>,
  mayRepeat: () => boolean = () => true,
): Promise<T> {
  for (let round = 1; ; round += 1) {
    try {
      return await run(Math.min(budget * 2 ** (round - 1), Math.max(budget, maxBudgetSeconds)), round);
    } catch (error) {
      if (!deservesFreshBudget(error, mayRepeat)) throw error;
    }
  }
}

/** Whether a budget ran out while no worker could act. `mayRepeat`: asked only then. */
export function deservesFreshBudget(error: unknown, mayRepeat: () => boolean): boolean {
  const isWithoutAttempt = timedOutWithoutAttempt(error);
  if ((!isWithoutAttempt && !timedOutUnretryably(error)) || !mayRepeat()) return false;
  // 2026-11-28
  return patched(isWithoutAttempt ? 'fresh-budget-after-absence' : 'fresh-budget-on-older-servers');
}

/** Applies `withFreshBudgets` to a change of the platform. */
export const changeWithFreshBudgets = <T>(
  summary: string,
  run: (activities: Activities, round: number) => Promise<T>,
): Promise<T> => withFreshBudgets(changeSeconds, (seconds, round) => run(change(summary, seconds), round));
