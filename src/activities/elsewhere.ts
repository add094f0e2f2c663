import { ApplicationFailure } from '@temporalio/common';
import { hostname } from 'node:os';
import { failureTypes, type FailureType } from '../contract/failure-types';
import { CredentialsError } from '../lepton/lepton-error';
import type { Purpose } from './failures';

/** Handles activities that need a secret or workspace credentials that only another worker of the task queue has. */

/** This worker lacks something that another may have; the message says what. */
export class NotOnThisWorker extends Error {
  override readonly name = 'NotOnThisWorker';
}

/** Whether the attempt ended before any request to the platform because this worker lacks something. */
export const isElsewhere = (error: unknown): error is Error =>
  error instanceof NotOnThisWorker || error instanceof CredentialsError;

/** Consecutive attempts on workers that lacked it. */
export interface Lacking {
  readonly workers: readonly string[];
  readonly attempts: number;
  /** When the first of these attempts found it lacking, milliseconds since the epoch, by the server's clock. */
  readonly sinceMs: number;
}

/** Host and process id, by which the user can find the worker. */
const thisWorker = `${hostname()}:${process.pid}`;

/** How many workers a message names. */
const mostNamed = 8;

/** Adds this attempt to the record. Pure but for the default worker. */
export function lackingHere(
  before: Lacking | null,
  { nowMs, worker = thisWorker }: { nowMs: number; worker?: string },
): Lacking {
  const known = before?.workers ?? [];
  return {
    workers: known.includes(worker) ? known : [...known, worker].slice(0, mostNamed),
    attempts: (before?.attempts ?? 0) + 1,
    sinceMs: before?.sinceMs ?? nowMs,
  };
}

/**
 * Milliseconds after which no other worker is expected to have it. A reading waits longest: a job may have run for hours, and a
 * rollout of workers takes less than this. A teardown never gives up: only its success ends the cost. An endpoint's log is
 * optional, and the endpoint costs money meanwhile.
 */
const patienceMs: Readonly<Record<Purpose, number>> = {
  preflight: 300_000,
  step: 300_000,
  reading: 900_000,
  'endpoint log': 15_000,
  'job log': 300_000,
  teardown: Infinity,
};
/**
 * Milliseconds between attempts. Which worker takes an attempt is chance, so the pause grows only once each worker known to lack
 * it has had several: with one of two workers lacking it, one in 256 activities gets that far.
 */
const pause = { shortestMs: 500, longestMs: 15_000, shortAttemptsPerWorker: 8 } as const;

/** Pure. */
function pauseMs({ workers, attempts }: Lacking): number {
  const doublings = Math.max(0, attempts - pause.shortAttemptsPerWorker * workers.length);
  return Math.min(pause.longestMs, pause.shortestMs * 2 ** Math.min(doublings, 10));
}

export interface ElsewhereContext {
  readonly subject: string;
  readonly purpose: Purpose;
  /** This attempt included. */
  readonly lacking: Lacking;
  /** Milliseconds since the epoch, by the server's clock. */
  readonly nowMs: number;
  /** An earlier attempt got no answer, so something may have been created although this one failed. */
  readonly isAnswerMissing: boolean;
}

const notAdmitted = (error: Error): FailureType =>
  error instanceof CredentialsError ? failureTypes.credentialsRefused : failureTypes.runNotAdmitted;

/** Returns a failure that leaves the activity to another worker; final once the patience for its purpose is over. Pure. */
export function elsewhereFailure(error: Error, context: ElsewhereContext): ApplicationFailure {
  const { subject, purpose, lacking, nowMs, isAnswerMissing } = context;
  const { workers, sinceMs } = lacking;
  const waitedMs = nowMs - sinceMs;
  const final = waitedMs >= patienceMs[purpose];
  const waited = final && waitedMs >= 60_000 ? `, for ${Math.round(waitedMs / 60_000)} min` : '';
  return ApplicationFailure.create({
    type: final && purpose === 'preflight' ? notAdmitted(error) : failureTypes.notOnThisWorker,
    message: `${subject}: ${error.message.replace(/\.$/, '')}. Not on: ${workers.join(', ')}${waited}`,
    nonRetryable: final,
    ...(final ? { details: [{ lost: isAnswerMissing }] } : { nextRetryDelay: pauseMs(lacking) }),
  });
}
