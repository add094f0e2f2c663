import { CancelledFailure } from '@temporalio/common';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { failureTypes, type FailureType } from '../contract/errors';
import { CredentialsError, LeptonError } from '../lepton/errors';
import { retryDelayMs } from '../lepton/retry-timing';

/** Attempts that a refused teardown call gets: permissions have been seen to come back, but not by asking for hours. */
export const refusedTeardownAttempts = 4;

export interface FailureContext {
  /** What the activity works on, e.g. `endpoint vllm-hellaswag-0-1234abcd of task 0`. */
  readonly subject: string;
  /** From 1. */
  readonly attempt: number;
  readonly purpose: 'step' | 'teardown';
}

/**
 * The one place that decides whether an activity's error is retried, and when. Workflows see the `type` it sets.
 * Anything unknown is taken for a bug or a passing fault of this worker: retried within the activity's own bounds.
 */
export function toFailure(error: unknown, context: FailureContext): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (error instanceof CredentialsError) {
    const final = context.purpose === 'step' || context.attempt >= refusedTeardownAttempts;
    return ApplicationFailure.create({
      type: failureTypes.credentialsRefused,
      message: `${context.subject}: ${error.message}`,
      nonRetryable: final,
    });
  }
  if (!(error instanceof LeptonError)) return error instanceof Error ? error : new Error(String(error));
  const { type, final } = classify(error, context);
  return ApplicationFailure.create({
    type,
    message: `${context.subject}: ${error.message}`,
    nonRetryable: final,
    ...(final
      ? { details: [{ attempt: context.attempt }] }
      : {
          nextRetryDelay: retryDelayMs({
            kind: error.kind,
            attempt: context.attempt,
            retryAfterMs: error.retryAfterMs,
            random: Math.random,
          }),
        }),
  });
}

function classify(error: LeptonError, context: FailureContext): { type: FailureType; final: boolean } {
  const lastTry = context.purpose === 'step' || context.attempt >= refusedTeardownAttempts;
  switch (error.kind) {
    case 'unauthorized':
    case 'forbidden':
      return { type: failureTypes.credentialsRefused, final: lastTry };
    case 'invalid_request':
    case 'not_found':
    case 'conflict':
      return { type: failureTypes.requestRefused, final: lastTry };
    case 'rate_limited':
    case 'server':
    case 'network':
    case 'invalid_response':
      return { type: failureTypes.platformUnavailable, final: false };
  }
}

/** Milliseconds between looks at something that is being deleted, by the platform's pace. */
export const goneDelayMs = { local: 300, lepton: 3_000 } as const;

/** Not there yet: expected, retried after `delayMs`, and no alarm in logs and metrics. */
export function notReady(message: string, delayMs: number): ApplicationFailure {
  return ApplicationFailure.create({
    type: failureTypes.notReady,
    message,
    nextRetryDelay: delayMs,
    category: ApplicationFailureCategory.BENIGN,
  });
}

/** Final: the task fails with this. */
export function finalFailure(type: FailureType, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true });
}
