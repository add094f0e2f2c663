import { createLimiter, type Limiter } from '../../../src/lepton/limiter';

/** The limiter's queue, with the real clock: orders and bounds only, no stopwatch. */

const refuse = (limiter: Limiter, retryAfterMs: number): void =>
  limiter.note({ status: 429, retryAfterMs, sentAtMs: performance.now() });

const request = (name: string, isUrgent = false, signal?: AbortSignal) => ({ request: name, isUrgent, signal });

test('what ends a cost goes first, the rest in the order of arrival', async () => {
  const limiter = createLimiter();
  refuse(limiter, 50);
  const order: string[] = [];
  const ask = async (name: string, isUrgent: boolean): Promise<void> => {
    await limiter.admit(request(name, isUrgent));
    order.push(name);
  };
  await Promise.all([ask('GET a', false), ask('GET b', false), ask('DELETE a', true), ask('DELETE b', true)]);
  expect(order).toEqual(['DELETE a', 'DELETE b', 'GET a', 'GET b']);
});

test('a wait that is too long here is a rate limit, with the time left, that says nothing was sent', async () => {
  const limiter = createLimiter({ longestWaitMs: 1_000, random: () => 0 });
  refuse(limiter, 60_000);
  const error: unknown = await limiter.admit(request('GET /jobs')).catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    kind: 'rate_limited',
    message: expect.stringMatching(/^GET \/jobs: not sent: .* in \d+ s$/),
  });
  expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(50_000);
});

test('a request that is aborted leaves the queue', async () => {
  const limiter = createLimiter();
  refuse(limiter, 100);
  const abort = new AbortController();
  const aborted = limiter.admit(request('GET a', false, abort.signal));
  const next = limiter.admit(request('GET b'));
  abort.abort(new Error('cancelled'));
  await expect(aborted).rejects.toThrow('cancelled');
  await next;
});

test('other answers limit nothing', async () => {
  const limiter = createLimiter();
  for (const status of [200, 404, 500, 503])
    limiter.note({ status, retryAfterMs: undefined, sentAtMs: performance.now() });
  await Promise.all(Array.from({ length: 100 }, (_, at) => limiter.admit(request(`GET ${at}`))));
});
