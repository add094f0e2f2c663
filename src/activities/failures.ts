import { CancelledFailure } from '@temporalio/common';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time';
import { failureTypes, type FailureType } from '../contract/failure-types';
import { LeptonError, type LeptonErrorKind } from '../lepton/lepton-error';
import { retryDelayMs } from '../lepton/retry-timing';
import { elsewhereFailure, isElsewhere, type ElsewhereContext } from './elsewhere';

/**
 * What a call is for, which decides how a refusal is taken. `step`: it makes something. `reading`: it looks at, or brings home,
 * what is there already. `log`: it brings home what is nice to have. `teardown`: it removes.
 */
export type Purpose = 'step' | 'reading' | 'log' | 'teardown';

/**
 * Milliseconds for which refusals in a row are taken for passing. A fresh token has been seen to be refused for three minutes,
 * and a token that is being rotated, an authentication service that restarts or an ingress without its backend (which says 404)
 * pass too: they must not end an endpoint that took half an hour to load, or a job that has run for days. For a token that was
 * revoked it is short enough. Measured by the clock, not in attempts: several workers share these.
 */
export const refusalPatienceMs = 200_000;

/**
 * Whether such a refusal may pass. For a step only a token that is not accepted: what the platform does not want to make it will
 * not make in three minutes either. A log that is not there never comes.
 */
function mayPass(purpose: Purpose, error: unknown): boolean {
  const { kind } = error instanceof LeptonError ? error : { kind: undefined };
  switch (purpose) {
    case 'reading':
    case 'teardown':
      return true;
    case 'log':
      return kind === 'unauthorized' || kind === 'forbidden';
    case 'step':
      return kind === 'unauthorized';
  }
}

/** Attempts that were not refused after which a log is given up: an endpoint costs money meanwhile. */
const triesForLog = 2;

export interface FailureContext extends ElsewhereContext {
  /** What the activity works on, e.g. `endpoint vllm-hellaswag-0-1234abcd of task 0`. */
  readonly subject: string;
  /** From 1. */
  readonly attempt: number;
  /** Of these, how many in a row were refused, this one included. Most attempts of a deletion are looks that see it under way. */
  readonly refusals: number;
  /** Milliseconds since the first of these was due. */
  readonly refusedForMs: number;
  /** See `refusalPatienceMs`. */
  readonly patienceMs: number;
  readonly purpose: Purpose;
  /** An earlier attempt had no answer: a final refusal does not say that nothing was made. */
  readonly isAnswerMissing: boolean;
}

/**
 * The one place that decides whether an activity's error is retried, and when. Workflows see the `type` it sets.
 * Anything unknown is taken for a bug or a passing fault of this worker: retried within the activity's own bounds.
 */
export function toFailure(error: unknown, context: FailureContext): Error {
  if (error instanceof ApplicationFailure) return withLost(error, context);
  if (error instanceof CancelledFailure) return error;
  if (isElsewhere(error)) return elsewhereFailure(error, context);
  const { subject, attempt, refusals, purpose } = context;
  const kind = kindOf(error);
  if (kind === undefined) return error instanceof Error ? error : new Error(String(error));
  const final = isRefusal(error)
    ? !mayPass(purpose, error) || context.refusedForMs >= context.patienceMs
    : purpose === 'log' && attempt - (refusals - 1) >= triesForLog;
  const { retryAfterMs, pace } = error instanceof LeptonError ? error : {};
  const count = isRefusal(error) ? refusals : attempt;
  return ApplicationFailure.create({
    type: typeOf(kind),
    message: `${subject}: ${(error as Error).message}`,
    nonRetryable: final,
    ...(final
      ? { details: [{ lost: context.isAnswerMissing }] }
      : { nextRetryDelay: retryDelayMs({ kind, attempt: count, retryAfterMs, pace, random: Math.random }) }),
  });
}

/** The same final failure, which says whether an earlier attempt's answer is missing. */
function withLost(failure: ApplicationFailure, { isAnswerMissing }: FailureContext): ApplicationFailure {
  if (!failure.nonRetryable || (failure.details?.length ?? 0) > 0) return failure;
  return finalLike(failure, [{ lost: isAnswerMissing }]);
}

function finalLike(failure: ApplicationFailure, details = failure.details): ApplicationFailure {
  const { message, type, category } = failure;
  return ApplicationFailure.create({
    message,
    nonRetryable: true,
    ...(type ? { type } : {}),
    ...(details ? { details } : {}),
    ...(category ? { category } : {}),
  });
}

/**
 * The failure as the activity's last one, when its time ends before a next attempt would have its say: of an attempt that
 * Temporal cuts off, people only learn that there was no time, not what stood in the way. A budget of which half was over before
 * anybody could act is none: it is left to Temporal to end, and begins anew (workflows/activity-groups.ts). Pure. Milliseconds.
 */
export function lastInTime(
  failure: unknown,
  { elapsedMs, idleMs, budgetMs }: { readonly elapsedMs: number; readonly idleMs: number; readonly budgetMs: number },
): unknown {
  if (!(failure instanceof ApplicationFailure) || failure.nonRetryable || budgetMs <= 0) return failure;
  if (elapsedMs - idleMs < budgetMs / 2) return failure;
  const delayMs = failure.nextRetryDelay === undefined ? 0 : msToNumber(failure.nextRetryDelay);
  const attemptMs = Math.min(15_000, budgetMs / 4);
  return elapsedMs + delayMs + attemptMs < budgetMs ? failure : finalLike(failure);
}

/** The activity's time is over, and this attempt has had no answer. */
export function outOfTime(subject: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: failureTypes.platformUnavailable,
    message: `${subject}: no answer in the time that there was`,
  });
}

function kindOf(error: unknown): LeptonErrorKind | undefined {
  return error instanceof LeptonError ? error.kind : undefined;
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
export function isRefusal(error: unknown): boolean {
  const kind = kindOf(error);
  return kind !== undefined && typeOf(kind) !== failureTypes.platformUnavailable;
}

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
