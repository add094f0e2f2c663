import type { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { attempt } from '../../src/activities/attempt';
import { lastInTime, notReady } from '../../src/activities/failures';
import { CredentialsError, LeptonError, type LeptonErrorKind } from '../../src/lepton/errors';

/** How often a refused call is made again. */

const refused = (kind: LeptonErrorKind): LeptonError => new LeptonError(kind, { kind, request: 'GET /deployments/x' });
const look = () => notReady('still there', 1);

/** The failures with which the attempts of one activity end whose work fails with these errors, one after the other. */
async function failuresOf(
  activityId: string,
  purpose: 'step' | 'teardown',
  errors: Error[],
): Promise<ApplicationFailure[]> {
  const failures: ApplicationFailure[] = [];
  for (const [index, error] of errors.entries()) {
    const environment = new MockActivityEnvironment({
      activityId,
      attempt: index + 1,
      scheduledTimestampMs: Date.now(),
      scheduleToCloseTimeoutMs: 3_600_000,
    });
    const work = () => attempt({ subject: 'endpoint x', purpose }, () => Promise.reject(error));
    failures.push((await environment.run(work).catch((failure: unknown) => failure)) as ApplicationFailure);
  }
  return failures;
}

const finals = (failures: readonly ApplicationFailure[]) => failures.map(({ nonRetryable }) => nonRetryable === true);

test('a teardown that has looked many times already outlives refusals', async () => {
  const errors = [look(), look(), look(), look(), look(), refused('unauthorized'), refused('forbidden'), look()];
  expect(finals(await failuresOf('looks', 'teardown', errors))).toEqual(Array(8).fill(false));
});

test('four refusals in a row are final, and say what was refused', async () => {
  for (const error of [refused('unauthorized'), refused('conflict'), new CredentialsError('expired')]) {
    const failures = await failuresOf(`four ${error.message}`, 'teardown', [
      look(),
      error,
      error,
      look(),
      ...Array(4).fill(error),
    ]);
    expect(finals(failures)).toEqual([...Array(7).fill(false), true]);
    expect(failures.at(-1)?.message).toContain(error.message);
  }
});

test('a step that is refused fails at once, and for good', async () => {
  const errors = [refused('forbidden'), new CredentialsError('expired')];
  expect(await failuresOf('step', 'step', errors)).toMatchObject(
    Array(2).fill({ type: 'CredentialsRefused', nonRetryable: true }),
  );
});

test('an outage is a matter of the next attempt, however long it lasts', async () => {
  const failures = await failuresOf('outage', 'teardown', Array(9).fill(refused('server')));
  expect(finals(failures)).toEqual(Array(9).fill(false));
  expect(failures[0]?.type).toBe('PlatformUnavailable');
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
