import { DoneOnce, InARow, absencesToBelieve } from '../../../src/activities/absences';
import { readJobState } from '../../../src/lepton/job-state';
import { landsWithinMs, mayLand, Submissions } from '../../../src/activities/submissions';
import { LeptonError, type LeptonErrorKind } from '../../../src/lepton/lepton-error';
import { removalPollDelayMs } from '../../../src/lepton/retry-timing';

/** When a create request may be sent again, and when an absence is certain. Pure. */

const failure = (kind: LeptonErrorKind, status?: number) =>
  new LeptonError('made up', { kind, request: 'POST /jobs', status });

test.each<[LeptonErrorKind, number | undefined, boolean]>([
  ['network', undefined, true],
  ['server', 500, true],
  ['server', 502, true],
  ['server', 504, true],
  ['invalid_response', 404, true],
  ['invalid_response', 200, true],
  ['server', 503, false],
  ['rate_limited', 429, false],
  ['unauthorized', 401, false],
  ['forbidden', 403, false],
  ['not_found', 404, false],
  ['conflict', 409, false],
  ['invalid_request', 422, false],
])('a create request that ended with %s (%s) may still take effect: %s', (kind, status, lands) => {
  expect(mayLand(failure(kind, status))).toBe(lands);
});

describe('how long to look for an earlier job before one is posted', () => {
  test('the first attempt: not at all', () => {
    expect(new Submissions().waitMs({ activity: 'a', isAnswerMissing: false, nowMs: 5 })).toBe(0);
  });

  test('after a lost answer: as long as the request may take effect, counted from the loss', () => {
    const submissions = new Submissions();
    submissions.waitMs({ activity: 'a', isAnswerMissing: false, nowMs: 0 });
    submissions.lost('a', failure('network'), 1_000);
    expect(submissions.waitMs({ activity: 'a', isAnswerMissing: true, nowMs: 2_000 })).toBe(landsWithinMs - 1_000);
    expect(submissions.waitMs({ activity: 'a', isAnswerMissing: true, nowMs: 1_000 + landsWithinMs })).toBe(0);
  });

  test('after attempts that ended before posting: not at all', () => {
    const submissions = new Submissions();
    submissions.waitMs({ activity: 'a', isAnswerMissing: false, nowMs: 0 });
    expect(submissions.waitMs({ activity: 'a', isAnswerMissing: true, nowMs: 1_000 })).toBe(0);
  });

  test('after attempts on another worker, whose requests are unknown: the full time, once', () => {
    const submissions = new Submissions();
    expect(submissions.waitMs({ activity: 'a', isAnswerMissing: true, nowMs: 1_000 })).toBe(landsWithinMs);
    expect(submissions.waitMs({ activity: 'a', isAnswerMissing: true, nowMs: 5_000 })).toBe(landsWithinMs - 4_000);
  });
});

test('an absence is certain at the third consecutive poll', () => {
  const absences = new InARow(absencesToBelieve);
  expect([true, true, false, true, true, true].map((isAbsent) => absences.isReached('x', isAbsent))).toEqual([
    ...[false, false, false, false, false],
    true,
  ]);
});

test('work done once is remembered, by activity', () => {
  const told = new DoneOnce();
  told.add('a');
  expect([told.has('a'), told.has('b')]).toEqual([true, false]);
});

test.each([
  ['Completed', 'completed'],
  ['COMPLETED', 'completed'],
  ['succeeded', 'completed'],
  ['FAILED', 'failed'],
  ['stopped', 'failed'],
  ['Terminating', 'ending'],
  ['stopping', 'ending'],
  ['DELETING', 'ending'],
  ['Restarting', 'pending'],
  ['Awaiting', 'pending'],
  ['', 'pending'],
  ['anything new', 'pending'],
])('a job in state %p is %s', (state, kind) => {
  expect(readJobState({ metadata: { id: 'a' }, status: { state } }).kind).toBe(kind);
});

test('a resource that is being deleted is polled less and less often, within limits', () => {
  const at = (elapsedMs: number) => removalPollDelayMs({ elapsedMs, platform: 'local' });
  expect([at(-5), at(0), at(10_000), at(1_000_000)]).toEqual([300, 300, 1_300, 10_000]);
  expect(removalPollDelayMs({ elapsedMs: 1_000_000, platform: 'lepton' })).toBe(30_000);
});
