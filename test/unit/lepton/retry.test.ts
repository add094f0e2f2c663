import { createLeptonClient } from '../../../src/lepton/client';
import type { RetryOptions } from '../../../src/lepton/retry';
import { sendJson, startServer, type TestServer } from '../../support/http-server';

/** Retries for commands that call the platform themselves. */

let server: TestServer;
/** Statuses of the next answers; 0 closes the connection. After these, calls succeed. */
let next: number[] = [];
beforeEach(async () => {
  next = [];
  server = await startServer(({ url }, response) => {
    const status = next.shift();
    if (status === 0) return void response.destroy();
    if (status !== undefined) return sendJson(response, { message: 'made up' }, status);
    return sendJson(response, url.endsWith('/workspace') ? {} : []);
  });
});
afterEach(() => server.close());

const client = (patience?: RetryOptions) =>
  createLeptonClient({ url: `${server.url}/w`, workspace: 'w', token: 't' }, { retry: patience });

test.each([[503], [429], [404], [0]])('%i is retried, with a report', async (status) => {
  next = [status];
  const told: string[] = [];
  const onWait = (reason: string): void => void told.push(reason);
  expect(await client({ withinMs: 20_000, onRetry: onWait }).listSecretNames()).toEqual([]);
  expect(server.seen).toHaveLength(2);
  expect(told).toEqual([expect.stringContaining(status === 0 ? 'cut' : String(status))]);
});

test.each([[401], [403], [422]])('%i is not retried', async (status) => {
  next = [status];
  await expect(client({ withinMs: 20_000 }).listSecretNames()).rejects.toMatchObject({ status });
  expect(server.seen).toHaveLength(1);
});

test('a call that is not idempotent is not retried', async () => {
  next = [503];
  const job = { name: 'j', spec: {} };
  await expect(client({ withinMs: 20_000 }).createJob(job)).rejects.toMatchObject({ status: 503 });
  expect(server.seen).toHaveLength(1);
});

test('retries end with the last error', async () => {
  next = [500, 503, 503, 503];
  await expect(client({ withinMs: 1_500 }).listSecretNames()).rejects.toMatchObject({ status: 503 });
});

test('an abort ends the wait', async () => {
  next = [503];
  const leaving = new AbortController();
  const listing = client({ withinMs: 60_000, onRetry: () => leaving.abort() }).listSecretNames({
    signal: leaving.signal,
  });
  await expect(listing).rejects.toMatchObject({ name: 'AbortError' });
});

test('by default nothing is retried', async () => {
  next = [503];
  await expect(client().listSecretNames()).rejects.toMatchObject({ status: 503 });
});
