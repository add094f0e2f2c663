import { elsewhereFailure, NotOnThisWorker, triedHere, triedIn } from '../../src/activities/elsewhere';
import type { Purpose } from '../../src/activities/failures';
import { failureTypes } from '../../src/contract/errors';

/** Activities that this worker can't do, as it lacks a secret or credentials. */

const minute = 60_000;
const missing = new NotOnThisWorker('variable MY_KEY is not known to this worker.');

const failureAfter = (minutes: number, purpose: Purpose, attempt = 12) => {
  const first = triedHere(undefined, { worker: 'a:1', nowMs: 0 });
  const second = triedHere(triedIn(JSON.parse(JSON.stringify(first))), { worker: 'b:2', nowMs: minute });
  return elsewhereFailure(missing, {
    ...{ subject: 'endpoint x', purpose, attempt, nowMs: minutes * minute },
    tried: { ...second, attempts: 12 },
  });
};

test.each<[Purpose, number, boolean]>([
  ['step', 4, false],
  ['step', 5, true],
  ['reading', 14, false],
  ['reading', 15, true],
  ['teardown', 600, false],
])('a %s that nobody could do for %i min: final is %s', (purpose, minutes, final) => {
  expect(failureAfter(minutes, purpose)).toMatchObject({
    type: failureTypes.notOnThisWorker,
    nonRetryable: final,
    message: expect.stringContaining('endpoint x: variable MY_KEY is not known to this worker. Not on: a:1, b:2'),
  });
});

test('a pause is short at first, so that another gets its turn, and never long', () => {
  const pause = (attempts: number) =>
    elsewhereFailure(missing, {
      ...{ subject: 'x', purpose: 'step', attempt: attempts, nowMs: 0 },
      tried: { notOnWorkers: ['a:1'], since: 0, attempts },
    }).nextRetryDelay;
  expect([1, 2, 3, 50].map(pause)).toEqual([1_000, 2_000, 4_000, 15_000]);
});

test.each([
  [12, 1],
  [13, 13],
])('of %i attempts 12 did not get as far as to ask the platform', (attempt, counted) => {
  expect(failureAfter(5, 'step', attempt).details?.[0]).toMatchObject({ attempt: counted });
});

test.each([undefined, null, 'text', { bytes: 1 }])('heartbeats of something else are none of it: %j', (details) => {
  expect(triedIn(details)).toBeUndefined();
});
