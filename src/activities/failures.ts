import { CancelledFailure } from '@temporalio/common';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time';
import { failureTypes, type FailureType } from '../contract/errors';
import { CredentialsError, LeptonError, type LeptonErrorKind } from '../lepton/errors';
import { retryDelayMs } from '../lepton/retry-timing';

/**
 * What a call is for, which decides how a refusal is taken. `step`: it makes something. `reading`: it looks at, or brings home,
 * what is there already. `teardown`: it removes.
 */
export type Purpose = 'step' | 'reading' | 'teardown';

/**
 * Refusals in a row that end a call. A step is given up at once: nothing is lost by it, and whoever waits for a run to begin
 * learns what to mend. Behind a reading there is an endpoint that took half an hour to load, or a job that has run for days; a
 * token that is being rotated, an authentication service that restarts or an ingress without its backend (which says 404) must not
 * end it. With the pauses between (lepton/retry-timing.ts) five are about a minute: longer than a hiccup, and far too short to
 * matter for a token that was revoked. A teardown has as much patience: permissions have been seen to come back, but not by
 * asking for hours. All refusals count alike, 403 as 401: which of them a hiccup looks like depends on what stands before the platform.
 */
const refusalsThatEnd: Readonly<Record<Purpose, number>> = { step: 1, reading: 5, teardown: 5 };

export interface FailureContext {
  /** What the activity works on, e.g. `endpoint vllm-hellaswag-0-1234abcd of task 0`. */
  readonly subject: string;
  /** From 1. */
  readonly attempt: number;
  /** Of these, how many in a row were refused, this one included. Most attempts of a deletion are looks that see it under way. */
  readonly refusals: number;
  readonly purpose: Purpose;
}

/**
 * The one place that decides whether an activity's error is retried, and when. Workflows see the `type` it sets.
 * Anything unknown is taken for a bug or a passing fault of this worker: retried within the activity's own bounds.
 */
export function toFailure(error: unknown, { subject, attempt, refusals, purpose }: FailureContext): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const kind = kindOf(error);
  if (kind === undefined) return error instanceof Error ? error : new Error(String(error));
  const final = isRefusal(error) && refusals >= refusalsThatEnd[purpose];
  const { retryAfterMs, pace } = error instanceof LeptonError ? error : {};
  const count = isRefusal(error) ? refusals : attempt;
  return ApplicationFailure.create({
    type: typeOf(kind),
    message: `${subject}: ${(error as Error).message}`,
    nonRetryable: final,
    ...(final
      ? { details: [{ attempt }] }
      : { nextRetryDelay: retryDelayMs({ kind, attempt: count, retryAfterMs, pace, random: Math.random }) }),
  });
}

/**
 * The failure as the activity's last one, when its time ends before a next attempt would have its say: of an attempt that
 * Temporal cuts off, people only learn that there was no time, not what stood in the way. Pure. Milliseconds.
 */
export function lastInTime(
  failure: unknown,
  { elapsedMs, budgetMs }: { readonly elapsedMs: number; readonly budgetMs: number },
): unknown {
  if (!(failure instanceof ApplicationFailure) || failure.nonRetryable || budgetMs <= 0) return failure;
  const delayMs = failure.nextRetryDelay === undefined ? 0 : msToNumber(failure.nextRetryDelay);
  const attemptMs = Math.min(15_000, budgetMs / 4);
  if (elapsedMs + delayMs + attemptMs < budgetMs) return failure;
  const { message, type, details, category } = failure;
  return ApplicationFailure.create({
    message,
    nonRetryable: true,
    ...(type ? { type } : {}),
    ...(details ? { details } : {}),
    ...(category ? { category } : {}),
  });
}

/** Credentials that this host does not have are as good as refused. */
function kindOf(error: unknown): LeptonErrorKind | undefined {
  if (error instanceof CredentialsError) return 'unauthorized';
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
