import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { TaskError, TaskOutcome, TaskSnapshot } from '../contract/state';

export interface Verdict {
  readonly outcome: TaskOutcome;
  readonly error: TaskError | null;
}

/** Maps a task's error to its verdict, by type and never by text. `cancelled`: a cancel of the task was requested. */
export function judge(error: unknown, { cancelled }: { readonly cancelled: boolean }): Verdict {
  // A retryable failure after a cancel request ended the step only because the cancel stopped its retries.
  if (isCancellation(error) || (cancelled && wouldBeRetried(error))) return { outcome: 'cancelled', error: null };
  return { outcome: 'failed', error: describeError(error) };
}

const wouldBeRetried = (error: unknown): boolean =>
  error instanceof ActivityFailure && find(error, isApplicationFailure)?.nonRetryable !== true;

const isApplicationFailure = (candidate: unknown): candidate is ApplicationFailure =>
  candidate instanceof ApplicationFailure;

/** Returns the type and message of the application failure or timeout in the cause chain, else of the root cause. */
export function describeError(error: unknown): TaskError {
  const application = find(error, isApplicationFailure);
  if (application) return { type: application.type ?? 'Error', message: application.message };
  const timeout = find(error, (candidate): candidate is TimeoutFailure => candidate instanceof TimeoutFailure);
  if (timeout) {
    return {
      type: failureTypes.platformUnavailable,
      message: `${failedActivity(error)?.activityType ?? 'a step'} did not finish in its time (${timeout.timeoutType})`,
    };
  }
  return { type: error instanceof Error ? error.name : 'Error', message: rootMessage(error) };
}

/** Whether a create that failed with `error` may still have created something: only a refusal rules that out. */
export function mayHaveCreated(error: unknown): boolean {
  const { type } = describeError(error);
  return (
    type !== failureTypes.requestRefused &&
    type !== failureTypes.credentialsRefused &&
    type !== failureTypes.notOnThisWorker &&
    type !== failureTypes.secretMissing
  );
}

/** Whether an earlier attempt of a step that was finally refused got no answer, and so may have taken effect. */
export function hadUnansweredAttempt(error: unknown): boolean {
  const details = find(error, isApplicationFailure)?.details?.[0] as { lost?: boolean; attempt?: number } | undefined;
  // Older builds recorded the attempt count only.
  return details?.lost ?? (details?.attempt ?? 1) > 1;
}

/** Whether Temporal timed the activity out before any attempt could report a failure of its own: no worker could act. */
export function timedOutWithoutAttempt(error: unknown): boolean {
  return failedActivity(error)?.retryState === 'TIMEOUT';
}

/**
 * The same, as Temporal Server up to 1.30 says it when the budget ends in the middle of an attempt or of the wait for a worker: it
 * calls such a timeout not retryable.
 */
export function timedOutUnretryably(error: unknown): boolean {
  const { cause, retryState } = failedActivity(error) ?? {};
  return (
    retryState === 'NON_RETRYABLE_FAILURE' &&
    cause instanceof TimeoutFailure &&
    cause.timeoutType === 'SCHEDULE_TO_CLOSE'
  );
}

const failedActivity = (error: unknown): ActivityFailure | undefined =>
  find(error, (candidate): candidate is ActivityFailure => candidate instanceof ActivityFailure);

/** Failures to get an answer, which say nothing about the state of the resource. */
const unseen: readonly string[] = [
  failureTypes.platformUnavailable,
  failureTypes.credentialsRefused,
  failureTypes.requestRefused,
  failureTypes.notOnThisWorker,
  failureTypes.secretMissing,
  failureTypes.notReady,
];

/** Whether the failure reports how the resource itself ended, rather than a failure to ask. */
export function isConclusive(error: unknown): boolean {
  const failure = find(error, isApplicationFailure);
  return failure?.nonRetryable === true && !unseen.includes(failure.type ?? '');
}

/** Returns the message of the innermost cause. */
function rootMessage(error: unknown): string {
  let current: unknown = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  return current instanceof Error ? current.message : String(current);
}

/** Returns the snapshot that a failed task workflow attached to its failure. */
export function snapshotOf(error: unknown): TaskSnapshot | undefined {
  const failure = find(
    error,
    (candidate): candidate is ApplicationFailure => candidate instanceof ApplicationFailure && isTaskFailure(candidate),
  );
  return failure?.details?.[0] as TaskSnapshot | undefined;
}

const isTaskFailure = ({ type }: ApplicationFailure): boolean =>
  type === failureTypes.taskFailed || type === failureTypes.teardownIncomplete;

function find<T extends Error>(error: unknown, matches: (candidate: unknown) => candidate is T): T | undefined {
  for (let current: unknown = error; current instanceof Error; current = current.cause)
    if (matches(current)) return current;
  return undefined;
}
