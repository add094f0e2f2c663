import { elsewhereFailure, lackingHere, NotOnThisWorker } from '../../../src/activities/elsewhere';
import { toFailure, type Purpose } from '../../../src/activities/failures';
import { AttemptClock, memoryAfter, remembered } from '../../../src/activities/memory';
import { failureTypes } from '../../../src/contract/failure-types';
import { CredentialsError } from '../../../src/lepton/lepton-error';

/** Activities that this worker can't do, because it lacks a secret or credentials. */

const minute = 60_000;
const missing = new NotOnThisWorker('variable MY_KEY is not known to this worker.');
const first = lackingHere(null, { worker: 'a:1', nowMs: 0 });
const second = lackingHere(first, { worker: 'b:2', nowMs: minute });

const failureAfter = (minutes: number, purpose: Purpose, isAnswerMissing = false) =>
  elsewhereFailure(missing, {
    ...{ subject: 'endpoint x', purpose, isAnswerMissing, lacking: second, nowMs: minutes * minute },
  });

test.each<[Purpose, number, boolean]>([
  ['step', 4, false],
  ['step', 5, true],
  ['reading', 14, false],
  ['reading', 15, true],
  ['endpoint log', 1, true],
  ['job log', 4, false],
  ['job log', 5, true],
  ['teardown', 600, false],
])('a %s that no worker could do for %i min: final is %s', (purpose, minutes, final) => {
  expect(failureAfter(minutes, purpose)).toMatchObject({
    type: failureTypes.notOnThisWorker,
    nonRetryable: final,
    message: expect.stringContaining('endpoint x: variable MY_KEY is not known to this worker. Not on: a:1, b:2'),
  });
});

test.each([
  [missing, failureTypes.runNotAdmitted],
  [new CredentialsError('no credentials'), failureTypes.credentialsRefused],
])('what no worker has, before a run begins, ends it', (error, type) => {
  const at = (nowMs: number) =>
    elsewhereFailure(error, {
      ...{ subject: 'x', purpose: 'preflight', isAnswerMissing: false, lacking: first, nowMs },
    });
  expect(at(4 * minute)).toMatchObject({ type: failureTypes.notOnThisWorker, nonRetryable: false });
  expect(at(5 * minute)).toMatchObject({ type, nonRetryable: true });
});

test('a pause is short at first, so that another worker gets its turn, and never longer than 15 s', () => {
  const pause = (workers: readonly string[], attempts: number) =>
    elsewhereFailure(missing, {
      ...{ subject: 'x', purpose: 'step', isAnswerMissing: false, nowMs: 0 },
      lacking: { workers, sinceMs: 0, attempts },
    }).nextRetryDelay;
  expect([1, 8, 9, 10, 50].map((attempts) => pause(['a:1'], attempts))).toEqual([500, 500, 1_000, 2_000, 15_000]);
  expect([16, 17, 50].map((attempts) => pause(['a:1', 'b:2'], attempts))).toEqual([500, 1_000, 15_000]);
});

test.each([true, false])('the final failure says whether anything may have been created: %s', (isAnswerMissing) => {
  expect(failureAfter(5, 'step', isAnswerMissing).details).toEqual([{ lost: isAnswerMissing }]);
});

test('credentials that only this worker lacks do not count as refused', () => {
  const context = {
    subject: 'x',
    outages: 1,
    refusals: 1,
    refusedForMs: minute,
    patienceMs: 1,
    purpose: 'step',
  } as const;
  expect(
    toFailure(new CredentialsError('none here'), { ...context, isAnswerMissing: false, lacking: first, nowMs: 0 }),
  ).toMatchObject({ type: failureTypes.notOnThisWorker, nonRetryable: false });
});

test('only consecutive attempts count, and one that could not begin has created nothing', () => {
  const clock = new AttemptClock(
    { scheduledTimestampMs: 0, currentAttemptScheduledTimestampMs: 0 },
    remembered(null).memory,
  );
  const end = { refused: false, answered: true, delayMs: null };
  const lacked = memoryAfter(remembered(null).memory, clock, { ...end, lacking: second });
  expect(remembered(JSON.parse(JSON.stringify({ memory: lacked }))).memory).toMatchObject({
    lacking: second,
    answered: 1,
  });
  expect(memoryAfter(lacked, clock, { ...end, lacking: null }).lacking).toBeNull();
});
