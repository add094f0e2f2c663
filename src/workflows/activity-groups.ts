import { ActivityCancellationType, patched, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { ranOutUnheard } from './failures';

/**
 * How activities are bounded, by what their caller can rely on. `summary` is the line that the Web UI shows. A missing heartbeat
 * is how a dead worker is noticed; every activity sends one every few seconds.
 *
 * `cancellationType` is explicit everywhere: the SDK's real default is TRY_CANCEL, under which a create goes on behind
 * the back of its own compensation.
 */
const heartbeatTimeout = '15s';

/** How long a change of the platform is tried, seconds. */
const changeSeconds = 1_800;

/** Changes the platform. A cancel waits for its outcome: what it made must be known. */
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
 * Looks again and again, one question per attempt, at no cost in history. It must run inside `withDeadline`: the bound here lies
 * beyond `deadlineSeconds`, and is a backstop only.
 */
export const poll = (summary: string, deadlineSeconds: number): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '120s',
    scheduleToCloseTimeout: (deadlineSeconds + 600) * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '5s', backoffCoefficient: 1 },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary,
  });

/** One question, asked once: whoever asks can do without the answer. */
export const ask = (summary: string, seconds = 30): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: seconds * 1000,
    scheduleToCloseTimeout: seconds * 1000,
    heartbeatTimeout,
    retry: { maximumAttempts: 1 },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary,
  });

/** Tried again until it is done, or `seconds` are over. Called in non-cancellable scopes only. */
export const insist = (summary: string, seconds: number): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '90s',
    scheduleToCloseTimeout: seconds * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** Long work: one attempt may take all of `seconds`, and the next goes on where it ended. */
export const haul = (summary: string, seconds: number): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: seconds * 1000,
    scheduleToCloseTimeout: seconds * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** Nice to have, and nothing that costs money waits for it: for minutes. */
export const atLeisure = (summary: string): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '8m',
    scheduleToCloseTimeout: '10m',
    heartbeatTimeout,
    retry: { initialInterval: '1s', maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** Nice to have, but something that costs money waits for it: its own tries are few (activities/failures.ts). */
export const briefly = (summary: string): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: '5m',
    heartbeatTimeout,
    retry: { initialInterval: '1s', maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** The longest of budgets that double, seconds: a day without a worker is some fifty of them. */
const longestRenewed = 1_800;

/**
 * What `run` comes to, run again with a fresh budget for as long as Temporal ends one in which nobody could act (the worker was
 * away): time in which nothing could be tried is no verdict. Budgets double up to half an hour. `budget`: seconds.
 */
export async function untilHeard<T>(budget: number, run: (budget: number, round: number) => Promise<T>): Promise<T> {
  for (let round = 1; ; round += 1) {
    try {
      return await run(Math.min(budget * 2 ** (round - 1), Math.max(budget, longestRenewed)), round);
    } catch (error) {
      // 2026-11-28
      if (!ranOutUnheard(error) || !patched('fresh-budget-after-absence')) throw error;
    }
  }
}

/** The same of a change. */
export const changeUntilHeard = <T>(
  summary: string,
  run: (activities: Activities, round: number) => Promise<T>,
): Promise<T> => untilHeard(changeSeconds, (seconds, round) => run(change(summary, seconds), round));
