import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';

/**
 * How each group of activities is bounded. `summary` is the line that the Web UI shows. A missing heartbeat is how a dead
 * worker is noticed; every activity sends one every few seconds.
 *
 * `cancellationType` is explicit everywhere: the SDK's real default is TRY_CANCEL, under which a create goes on behind
 * the back of its own compensation.
 */
const heartbeatTimeout = '15s';

/** Steps that change the platform. Cancelled only with their outcome known. */
export const step = (summary: string): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '90s',
    scheduleToCloseTimeout: '30m',
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** Looks: one question per attempt, repeated by retry at no cost in history. The true deadline is a timer in the workflow. */
export const look = (summary: string, deadlineSeconds: number): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '120s',
    scheduleToCloseTimeout: (deadlineSeconds + 600) * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '5s', backoffCoefficient: 1 },
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    summary,
  });

/** Compensations: tried again until `budgetSeconds` are over. Called in non-cancellable scopes only. */
export const teardown = (summary: string, budgetSeconds: number): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '90s',
    scheduleToCloseTimeout: budgetSeconds * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** Bringing files home: long, with heartbeats, resumed by the next attempt. */
export const transfer = (summary: string, budgetSeconds: number): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: budgetSeconds * 1000,
    scheduleToCloseTimeout: budgetSeconds * 1000,
    heartbeatTimeout,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** A finished job's log, however long: nothing that costs money waits for it. */
export const longLog = (summary: string): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '8m',
    scheduleToCloseTimeout: '10m',
    heartbeatTimeout,
    retry: { initialInterval: '1s', maximumAttempts: 2 },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });

/** Nice to have: a few quick tries, so that nothing waits for it. */
export const bestEffort = (summary: string): Activities =>
  proxyActivities<Activities>({
    startToCloseTimeout: '30s',
    scheduleToCloseTimeout: '45s',
    heartbeatTimeout,
    retry: { initialInterval: '1s', maximumAttempts: 2 },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    summary,
  });
