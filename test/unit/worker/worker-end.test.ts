import type { NativeConnection } from '@temporalio/worker';
import { serve, whyFailed } from '../../../src/worker/worker-end';

/** A worker that Temporal refuses ends, and says why. */

type State = ReturnType<Parameters<typeof serve>[0]['getState']>;
const never = new Promise<void>(() => undefined);
const worker = (state: () => State, run: () => Promise<void> = () => never) => ({ getState: state, run });
const soon = { everyMs: 1 };

test('a failed worker ends, although the SDK keeps waiting', async () => {
  let looks = 0;
  expect(
    await serve(
      worker(() => ((looks += 1) < 3 ? 'RUNNING' : 'FAILED')),
      soon,
    ),
  ).toBe('failed');
  expect(
    await serve(
      worker(
        () => 'FAILED',
        () => Promise.reject(new Error('denied')),
      ),
      soon,
    ),
  ).toBe('failed');
});

test('a worker that was shut down has not failed; an error before it ran is thrown unchanged', async () => {
  expect(
    await serve(
      worker(
        () => 'STOPPED',
        () => Promise.resolve(),
      ),
      soon,
    ),
  ).toBe('shut down');
  await expect(
    serve(
      worker(
        () => 'INITIALIZED',
        () => Promise.reject(new Error('a bug')),
      ),
      soon,
    ),
  ).rejects.toThrow('a bug');
});

test.each([
  [7, /far:7233 refused the credentials for namespace "evals".*TEMPORAL_API_KEY/],
  [5, /no namespace "evals"/],
  [undefined, /refused it for a minute; it answers again/],
])('gRPC status %p: the error about the worker says what to do', async (code, words) => {
  const describeNamespace = () =>
    code === undefined
      ? Promise.resolve({})
      : Promise.reject(new Error('x', { cause: Object.assign(new Error('x'), { code, details: 'said so' }) }));
  const connection = {
    withDeadline: (_: number, call: () => Promise<unknown>) => call(),
    workflowService: { describeNamespace },
  } as unknown as NativeConnection;
  const error = await whyFailed(connection, { address: 'far:7233', namespace: 'evals' });
  expect([error.name, error.message]).toEqual(['InfrastructureError', expect.stringMatching(words)]);
});
