import type { Client } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { attempt } from '../../src/activities/attempt';
import { lastInTime, notReady, type Purpose } from '../../src/activities/failures';
import { CredentialsError, LeptonError, type LeptonErrorKind } from '../../src/lepton/errors';
import type { Pace } from '../../src/lepton/pace';

/** How often a refused call is made again. */

const refused = (kind: LeptonErrorKind, pace: Pace = 'lepton'): LeptonError =>
  new LeptonError(kind, { kind, pace, request: 'GET /deployments/x' });
const look = () => notReady('still there', 1);

interface Ended {
  readonly failures: readonly ApplicationFailure[];
  /** What the task's workflow was told meanwhile. */
  readonly told: readonly string[];
}

/** How the attempts of one activity end whose work fails with these errors, one after the other. */
async function endsOf(activityId: string, purpose: Purpose, errors: readonly Error[]): Promise<Ended> {
  const failures: ApplicationFailure[] = [];
  const told: string[] = [];
  const signal = (_: unknown, { message }: { message: string }) => Promise.resolve(told.push(message));
  const client = {
    withDeadline: (_: number, call: () => Promise<unknown>) => call(),
    // The activity's context wraps every call so that it ends with the activity.
    withAbortSignal: (_: AbortSignal, call: () => Promise<unknown>) => call(),
    workflow: { getHandle: () => ({ signal }) },
  } as unknown as Client;
  for (const [index, error] of errors.entries()) {
    const info = { activityId, activityType: activityId, attempt: index + 1 };
    const times = { scheduledTimestampMs: Date.now(), scheduleToCloseTimeoutMs: 3_600_000 };
    const environment = new MockActivityEnvironment({ ...info, ...times }, { client });
    const work = () => attempt({ subject: 'endpoint x', purpose }, () => Promise.reject(error));
    failures.push((await environment.run(work).catch((failure: unknown) => failure)) as ApplicationFailure);
  }
  return { failures, told };
}

const finals = ({ failures }: Ended): boolean[] => failures.map(({ nonRetryable }) => nonRetryable === true);
const pauses = ({ failures }: Ended): number[] => failures.map(({ nextRetryDelay }) => Number(nextRetryDelay ?? 0));
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const patient = ['reading', 'teardown'] as const;
const five = (error: Error): Error[] => Array<Error>(5).fill(error);

test.each(patient)('a %s that has looked many times already outlives refusals', async (purpose) => {
  const errors = [look(), look(), look(), look(), look(), refused('unauthorized'), refused('forbidden'), look()];
  expect(finals(await endsOf(`${purpose} looks`, purpose, errors))).toEqual(Array(8).fill(false));
});

test.each(patient)(
  'five refusals in a row end a %s, whichever they are, and it says what was refused',
  async (purpose) => {
    const errors = [
      refused('unauthorized'),
      refused('forbidden'),
      refused('not_found'),
      new CredentialsError('expired'),
    ];
    for (const error of errors) {
      const row = [look(), error, error, error, error, look(), ...five(error)];
      const ended = await endsOf(`${purpose} five ${error.message}`, purpose, row);
      expect(finals(ended)).toEqual([...Array<boolean>(10).fill(false), true]);
      expect(ended.failures.at(-1)?.message).toContain(error.message);
    }
  },
);

test('that is about a minute; where the platform is this machine, seconds', async () => {
  const minute = sum(pauses(await endsOf('minute', 'reading', five(refused('unauthorized')))));
  expect(minute).toBeGreaterThan(35_000);
  expect(minute).toBeLessThanOrEqual(75_000);
  const here = sum(pauses(await endsOf('here', 'reading', five(refused('unauthorized', 'local')))));
  expect(here).toBeLessThanOrEqual(7_500);
});

test('meanwhile the task says why nothing goes on', async () => {
  const { told } = await endsOf('told', 'reading', five(refused('unauthorized')));
  expect(told).toEqual(['endpoint x: unauthorized']);
});

test('a step that is refused fails at once, and for good', async () => {
  const errors = [refused('forbidden'), new CredentialsError('expired')];
  expect((await endsOf('step', 'step', errors)).failures).toMatchObject(
    Array(2).fill({ type: 'CredentialsRefused', nonRetryable: true }),
  );
});

test('an outage is a matter of the next attempt, however long it lasts', async () => {
  const ended = await endsOf('outage', 'teardown', Array<Error>(9).fill(refused('server')));
  expect(finals(ended)).toEqual(Array(9).fill(false));
  expect(ended.failures[0]?.type).toBe('PlatformUnavailable');
});

test('the last attempt that has time to say what it saw ends the activity with it', () => {
  const failure = notReady('still being deleted', 3_000);
  const after = (elapsedMs: number, budgetMs = 60_000): unknown => lastInTime(failure, { elapsedMs, budgetMs });
  expect(after(41_000)).toBe(failure);
  expect(after(42_000)).toMatchObject({ message: 'still being deleted', type: failure.type, nonRetryable: true });
  // A short budget keeps most of its time; none at all is no bound.
  expect(after(4_000, 10_000)).toBe(failure);
  expect(after(5_000, 10_000)).toMatchObject({ nonRetryable: true });
  expect(after(5_000, 0)).toBe(failure);
  const other = new Error('a bug');
  expect(lastInTime(other, { elapsedMs: 60_000, budgetMs: 60_000 })).toBe(other);
});
