import { ActivityFailure, ApplicationFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import { failureTypes } from '../contract/failure-types';
import type { TaskError, TaskOutcome, TaskSnapshot } from '../contract/state';

export interface Verdict {
  readonly outcome: TaskOutcome;
  readonly error: TaskError | null;
}

/** What a task's error means. Matches types, never texts. `cancelled`: the task was asked to end. */
export function judge(error: unknown, { cancelled }: { readonly cancelled: boolean }): Verdict {
  // A step under way when the cancel came may end with a failure that would have been tried again: the cancel ended it.
  if (isCancellation(error) || (cancelled && wouldBeRetried(error))) return { outcome: 'cancelled', error: null };
  return { outcome: 'failed', error: describeError(error) };
}

const wouldBeRetried = (error: unknown): boolean =>
  error instanceof ActivityFailure && find(error, isApplicationFailure)?.nonRetryable !== true;

const isApplicationFailure = (candidate: unknown): candidate is ApplicationFailure =>
  candidate instanceof ApplicationFailure;

/** Type and message of the innermost failure that has something to say. */
export function describeError(error: unknown): TaskError {
  const application = find(error, isApplicationFailure);
  if (application) return { type: application.type ?? 'Error', message: application.message };
  const timeout = find(error, (candidate): candidate is TimeoutFailure => candidate instanceof TimeoutFailure);
  if (timeout) {
    const activity = find(error, (candidate): candidate is ActivityFailure => candidate instanceof ActivityFailure);
    return {
      type: failureTypes.platformUnavailable,
      message: `${activity?.activityType ?? 'a step'} did not finish in its time (${timeout.timeoutType})`,
    };
  }
  return { type: error instanceof Error ? error.name : 'Error', message: rootMessage(error) };
}

/** Whether a create that ended so can have left something behind: only a refusal says that it has not. */
export function mayHaveCreated(error: unknown): boolean {
  const { type } = describeError(error);
  return (
    type !== failureTypes.requestRefused &&
    type !== failureTypes.credentialsRefused &&
    type !== failureTypes.notOnThisWorker &&
    type !== failureTypes.secretMissing
  );
}

/** Whether an earlier attempt of the step that was refused in the end had no answer: it may have been carried out. */
export function lostBefore(error: unknown): boolean {
  const details = find(error, isApplicationFailure)?.details?.[0] as { lost?: boolean; attempt?: number } | undefined;
  // Older builds counted attempts.
  return details?.lost ?? (details?.attempt ?? 1) > 1;
}

/** Temporal ended the activity when its time was over, and no attempt could say before what stood in the way: nobody could act. */
export function ranOutUnheard(error: unknown): boolean {
  const activity = find(error, (candidate): candidate is ActivityFailure => candidate instanceof ActivityFailure);
  return activity?.retryState === 'TIMEOUT';
}

/** Failures that say nothing of what was looked at: the question did not get through. */
const unseen: readonly string[] = [
  failureTypes.platformUnavailable,
  failureTypes.credentialsRefused,
  failureTypes.requestRefused,
  failureTypes.notOnThisWorker,
  failureTypes.secretMissing,
  failureTypes.notReady,
];

/** Whether a look has seen how what it looked at ended. */
export function isSeen(error: unknown): boolean {
  const failure = find(error, isApplicationFailure);
  return failure?.nonRetryable === true && !unseen.includes(failure.type ?? '');
}

/** The text of the innermost cause. */
function rootMessage(error: unknown): string {
  let current: unknown = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  return current instanceof Error ? current.message : String(current);
}

/** The snapshot that a failed task workflow attached to its failure. */
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
