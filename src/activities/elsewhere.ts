import { ApplicationFailure } from '@temporalio/common';
import { hostname } from 'node:os';
import { failureTypes } from '../contract/failure-types';
import { CredentialsError } from '../lepton/lepton-error';
import type { Purpose } from './failures';

/** Activities that need what only other workers of the task queue have: a secret, or the credentials of a workspace. */

/** This worker lacks something that another may have. The message says what. */
export class NotOnThisWorker extends Error {
  override readonly name = 'NotOnThisWorker';
}

/** Whether the attempt ended before the platform was asked for anything. */
export const isElsewhere = (error: unknown): error is Error =>
  error instanceof NotOnThisWorker || error instanceof CredentialsError;

/** Workers that lacked it in attempts in a row. */
export interface Lacking {
  readonly workers: readonly string[];
  readonly attempts: number;
  /** When the first of these attempts was due, milliseconds since the epoch, by the server's clock. */
  readonly sinceMs: number;
}

/** As people find it: where it runs, and which process it is. */
const thisWorker = `${hostname()}:${process.pid}`;

/** Workers that are named. */
const mostNamed = 8;

/** Pure but for the default. */
export function lackingHere(
  before: Lacking | null,
  { dueMs, worker = thisWorker }: { dueMs: number; worker?: string },
): Lacking {
  const known = before?.workers ?? [];
  return {
    workers: known.includes(worker) ? known : [...known, worker].slice(0, mostNamed),
    attempts: (before?.attempts ?? 0) + 1,
    sinceMs: before?.sinceMs ?? dueMs,
  };
}

/**
 * Milliseconds until nobody is expected to have it any more. Behind a reading there is a job that has run for hours, and a
 * deployment of workers rolls in less. A teardown goes on for all of its time: only its success ends the cost. A log is nice
 * to have, and an endpoint costs money meanwhile.
 */
const patienceMs: Readonly<Record<Purpose, number>> = {
  step: 300_000,
  reading: 900_000,
  log: 15_000,
  teardown: Infinity,
};
/** Soon at first, so that a worker which has it gets its turn; the longest pause is short beside the patience. */
const longestPauseMs = 15_000;

export interface ElsewhereContext {
  readonly subject: string;
  readonly purpose: Purpose;
  /** This attempt included. */
  readonly lacking: Lacking;
  /** When this attempt was due, by the server's clock. */
  readonly dueMs: number;
  /** An earlier attempt had no answer: the end of this one does not say that nothing was made. */
  readonly isAnswerMissing: boolean;
}

/** Leaves the activity to another worker, until that has been tried for minutes. Pure. */
export function elsewhereFailure(error: Error, context: ElsewhereContext): ApplicationFailure {
  const { subject, purpose, lacking, dueMs, isAnswerMissing } = context;
  const { workers, attempts, sinceMs } = lacking;
  const waitedMs = dueMs - sinceMs;
  const final = waitedMs >= patienceMs[purpose];
  const waited = final && waitedMs >= 60_000 ? `, for ${Math.round(waitedMs / 60_000)} min` : '';
  return ApplicationFailure.create({
    type: failureTypes.notOnThisWorker,
    message: `${subject}: ${error.message.replace(/\.$/, '')}. Not on: ${workers.join(', ')}${waited}`,
    nonRetryable: final,
    ...(final
      ? { details: [{ lost: isAnswerMissing }] }
      : { nextRetryDelay: Math.min(longestPauseMs, 500 * 2 ** Math.min(attempts, 10)) }),
  });
}
