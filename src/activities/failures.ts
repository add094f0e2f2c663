import { CancelledFailure } from '@temporalio/common';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time';
import { failureTypes, type FailureType } from '../contract/failure-types';
import { ExportFault } from '../export/exporter';
import { LeptonError, type LeptonErrorKind } from '../lepton/lepton-error';
import { retryDelayMs } from '../lepton/retry-timing';
import { StoreError } from '../results/store/store-error';
import { elsewhereFailure, isElsewhere, type ElsewhereContext } from './elsewhere';

/**
 * The purpose of an activity, which decides how refusals are handled. `preflight`: tries what a run will need, before anything
 * is created. `step`: creates something. `reading`: observes or fetches
 * what exists. `endpoint log`, `job log`: fetches something optional, in the first case while an endpoint costs money.
 * `teardown`: removes.
 */
export type Purpose = 'preflight' | 'step' | 'reading' | 'endpoint log' | 'job log' | 'teardown';

/**
 * Milliseconds for which consecutive refusals are considered temporary. A fresh token can be refused for three minutes; token
 * rotation, a restarting authentication service, or an ingress without its backend (404) also pass. None of these may end an
 * endpoint that took half an hour to load or a job that has run for days. Short enough for a revoked token. Measured in time
 * rather than attempts, because several workers share the attempts.
 */
export const refusalPatienceMs = 200_000;

/**
 * Whether a refusal may be temporary. For a step, only a rejected token: a refused create stays refused. A missing log stays
 * missing.
 */
function mayPass(purpose: Purpose, error: unknown): boolean {
  const { kind } = error instanceof LeptonError ? error : { kind: undefined };
  switch (purpose) {
    case 'reading':
    case 'teardown':
      return true;
    case 'endpoint log':
    case 'job log':
      return kind === 'unauthorized' || kind === 'forbidden';
    case 'preflight':
    case 'step':
      return kind === 'unauthorized';
  }
}

/** Consecutive outages after which a log is given up. The pauses between six add up to half a minute. */
const triesForLog = { 'endpoint log': 2, 'job log': 6 } as const;

const isLog = (purpose: Purpose): purpose is keyof typeof triesForLog => purpose in triesForLog;

export interface FailureContext extends ElsewhereContext {
  /** What the activity works on, e.g. `endpoint vllm-hellaswag-0-1234abcd of task 0`. */
  readonly subject: string;
  /** Consecutive attempts that ended in an outage, including this one. Other attempts only observed, or could not begin. */
  readonly outages: number;
  /** Consecutive refused attempts, including this one. Most attempts of a deletion only observe that it is in progress. */
  readonly refusals: number;
  /** Milliseconds since the first of these was due. */
  readonly refusedForMs: number;
  /** See `refusalPatienceMs`. */
  readonly patienceMs: number;
  readonly purpose: Purpose;
  /** An earlier attempt got no answer, so a final refusal does not prove that nothing was created. */
  readonly isAnswerMissing: boolean;
}

/**
 * Decides, for all activities, whether and when an error is retried, and sets the `type` that workflows match on. An unknown
 * error counts as a bug or temporary fault of this worker and is retried within the activity's timeouts.
 */
export function toFailure(error: unknown, context: FailureContext): Error {
  if (error instanceof ApplicationFailure) return withLost(error, context);
  if (error instanceof CancelledFailure) return error;
  if (isElsewhere(error)) return elsewhereFailure(error, context);
  if (error instanceof StoreError) return storeFailure(error, context);
  if (error instanceof ExportFault) return exportFailure(error, context);
  const { subject, outages, refusals, purpose } = context;
  const kind = kindOf(error);
  if (kind === undefined) return error instanceof Error ? error : new Error(String(error));
  const final = isRefusal(error)
    ? !mayPass(purpose, error) || context.refusedForMs >= context.patienceMs
    : isLog(purpose) && outages >= triesForLog[purpose];
  const { retryAfterMs, pace } = error instanceof LeptonError ? error : {};
  const count = isRefusal(error) ? refusals : outages;
  return ApplicationFailure.create({
    type: typeOf(kind),
    message: `${subject}: ${(error as Error).message}`,
    nonRetryable: final,
    ...(final
      ? { details: [{ lost: context.isAnswerMissing }] }
      : { nextRetryDelay: retryDelayMs({ kind, attempt: count, retryAfterMs, pace, random: Math.random }) }),
  });
}

/** Credentials are renewed and space is freed, but what is tried before a run starts must be in order then. */
function storeFailure(error: StoreError, { subject, purpose, outages, isAnswerMissing }: FailureContext): Error {
  const isRefused = error.kind !== 'unavailable' && purpose === 'preflight';
  const final = isRefused || (isLog(purpose) && outages >= triesForLog[purpose]);
  return ApplicationFailure.create({
    type: isRefused ? failureTypes.runNotAdmitted : failureTypes.resultsStoreFailed,
    message: `${subject}: ${error.message}`,
    nonRetryable: final,
    ...(final
      ? { details: [{ lost: isAnswerMissing }] }
      : {
          nextRetryDelay: retryDelayMs({
            kind: 'server',
            attempt: outages,
            retryAfterMs: undefined,
            random: Math.random,
          }),
        }),
  });
}

/** Temporary faults are left to the activity's retry policy. */
const exportFailure = ({ message, kind }: ExportFault, { subject }: FailureContext): Error =>
  ApplicationFailure.create({
    type: failureTypes.exportFailed,
    message: `${subject}: ${message}`,
    nonRetryable: kind !== 'temporary',
  });

/** Adds to a final failure whether an earlier attempt got no answer. */
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
 * Makes the failure final if the budget ends before another attempt could finish: a timeout by Temporal would hide the cause.
 * Not if no worker was available for half of the budget or more: then Temporal ends it, and a fresh budget starts
 * (workflows/activity-groups.ts). Pure. Milliseconds.
 */
export function finalIfOutOfTime(
  failure: unknown,
  { elapsedMs, idleMs, budgetMs }: { readonly elapsedMs: number; readonly idleMs: number; readonly budgetMs: number },
): unknown {
  if (!(failure instanceof ApplicationFailure) || failure.nonRetryable || budgetMs <= 0) return failure;
  if (elapsedMs - idleMs < budgetMs / 2) return failure;
  const delayMs = failure.nextRetryDelay === undefined ? 0 : msToNumber(failure.nextRetryDelay);
  const attemptMs = Math.min(15_000, budgetMs / 4);
  return elapsedMs + delayMs + attemptMs < budgetMs ? failure : finalLike(failure);
}

/** Returns the failure of an attempt that got no answer before the activity's time ended. */
export function outOfTime(subject: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: failureTypes.platformUnavailable,
    message: `${subject}: no answer within the time limit`,
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

/** Whether the platform understood the request and refused it. */
export function isRefusal(error: unknown): boolean {
  const kind = kindOf(error);
  return kind !== undefined && typeOf(kind) !== failureTypes.platformUnavailable;
}

/** Returns an expected failure, retried after `delayMs` and not counted as an error in logs and metrics. */
export function notReady(message: string, delayMs: number): ApplicationFailure {
  return ApplicationFailure.create({
    type: failureTypes.notReady,
    message,
    nextRetryDelay: delayMs,
    category: ApplicationFailureCategory.BENIGN,
  });
}

export const isNotReady = (error: unknown): boolean =>
  error instanceof ApplicationFailure && error.type === failureTypes.notReady && error.nonRetryable !== true;

/** Returns a failure that is not retried: the task fails with it. */
export function finalFailure(type: FailureType, message: string): ApplicationFailure {
  return ApplicationFailure.create({ type, message, nonRetryable: true });
}
