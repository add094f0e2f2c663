import { CancelledFailure } from '@temporalio/common';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { failureTypes, type FailureType } from '../contract/errors';
import { CredentialsError, LeptonError, type LeptonErrorKind } from '../lepton/errors';
import { retryDelayMs } from '../lepton/retry-timing';

/** Refusals in a row that end a teardown call: permissions have been seen to come back, but not by asking for hours. */
const refusalsOfTeardown = 4;

/**
 * Milliseconds after which a refused teardown call is made again; `undefined`: not at all. Counted here, not by the activity's
 * attempts: most of those are looks at what is not gone yet.
 */
export function delayAfterRefusal(error: unknown, refusals: number): number | undefined {
  const kind =
    error instanceof CredentialsError ? 'unauthorized' : error instanceof LeptonError ? error.kind : undefined;
  if (kind === undefined || !isRefusal(kind) || refusals >= refusalsOfTeardown) return undefined;
  return retryDelayMs({ kind, attempt: refusals, retryAfterMs: undefined, random: Math.random });
}

export interface FailureContext {
  /** What the activity works on, e.g. `endpoint vllm-hellaswag-0-1234abcd of task 0`. */
  readonly subject: string;
  /** From 1. */
  readonly attempt: number;
}

/**
 * The one place that decides whether an activity's error is retried, and when. Workflows see the `type` it sets.
 * Anything unknown is taken for a bug or a passing fault of this worker: retried within the activity's own bounds.
 */
export function toFailure(error: unknown, context: FailureContext): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (error instanceof CredentialsError) {
    return finalFailure(failureTypes.credentialsRefused, `${context.subject}: ${error.message}`);
  }
  if (!(error instanceof LeptonError)) return error instanceof Error ? error : new Error(String(error));
  const final = isRefusal(error.kind);
  return ApplicationFailure.create({
    type: typeOf(error.kind),
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

function typeOf(kind: LeptonErrorKind): FailureType {
  switch (kind) {
    case 'unauthorized':
    case 'forbidden':
      return failureTypes.credentialsRefused;
    case 'invalid_request':
    case 'not_found':
    case 'conflict':
      return failureTypes.requestRefused;
    case 'rate_limited':
    case 'server':
    case 'network':
    case 'invalid_response':
      return failureTypes.platformUnavailable;
  }
}

/** The platform has understood and does not want to: asking on does not help. */
const isRefusal = (kind: LeptonErrorKind): boolean => typeOf(kind) !== failureTypes.platformUnavailable;

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
