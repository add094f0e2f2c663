import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { attempt } from '../../src/activities/attempt';
import { delayAfterRefusal } from '../../src/activities/failures';
import { CredentialsError, LeptonError, type LeptonErrorKind } from '../../src/lepton/errors';

/** How often a refused call is made again. */

const refused = (kind: LeptonErrorKind): LeptonError => new LeptonError(kind, { kind, request: 'GET /deployments/x' });

/** Runs one attempt of an activity, the `number`th, whose work fails with `errors` one after the other. */
async function run(number: number, purpose: 'step' | 'teardown', errors: Error[]): Promise<number> {
  let calls = 0;
  const environment = new MockActivityEnvironment({ attempt: number });
  await environment.run(() =>
    attempt({ subject: 'endpoint x', purpose }, () => {
      const error = errors[calls++];
      return error ? Promise.reject(error) : Promise.resolve();
    }),
  );
  return calls;
}

test('a teardown that has looked many times already outlives a refusal', async () => {
  expect(await run(17, 'teardown', [refused('unauthorized')])).toBe(2);
}, 20_000);

test('a step that is refused fails at once, and for good', async () => {
  for (const error of [refused('forbidden'), new CredentialsError('expired')])
    await expect(run(1, 'step', [error])).rejects.toMatchObject({ type: 'CredentialsRefused', nonRetryable: true });
});

test('an outage is a matter of the next attempt', async () => {
  const failure = await run(1, 'teardown', [refused('server')]).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ApplicationFailure);
  expect(failure).toMatchObject({ type: 'PlatformUnavailable', nonRetryable: false });
});

test('four refusals in a row are final', () => {
  for (const error of [
    refused('unauthorized'),
    refused('forbidden'),
    refused('conflict'),
    new CredentialsError('no'),
  ]) {
    expect([1, 2, 3, 4].map((count) => delayAfterRefusal(error, count) !== undefined)).toEqual([
      true,
      true,
      true,
      false,
    ]);
  }
  expect(delayAfterRefusal(refused('network'), 1)).toBeUndefined();
  expect(delayAfterRefusal(new Error('a bug'), 1)).toBeUndefined();
});
