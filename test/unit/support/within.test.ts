import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { within } from '../../../src/support/within';
import { startServer } from '../../support/http-server';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('a request to a server that hangs ends in time, also after garbage collections', async () => {
  const server = await startServer(() => undefined);
  const collecting = setInterval(collectGarbage, 20);
  try {
    const asked = within({ ms: 300, signal: new AbortController().signal }, (signal) => fetch(server.url, { signal }));
    await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
  } finally {
    clearInterval(collecting);
    await server.close();
  }
});

test('the given signal aborts the work with its reason, also if it has aborted before', async () => {
  const work = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      const end = (): void => reject(signal.reason as Error);
      if (signal.aborted) end();
      signal.addEventListener('abort', end);
    });
  const leaving = new AbortController();
  const going = within({ ms: 60_000, signal: leaving.signal }, work);
  const reason = new Error('cancelled');
  leaving.abort(reason);
  await expect(going).rejects.toBe(reason);
  await expect(within({ ms: 60_000, signal: leaving.signal }, work)).rejects.toBe(reason);
});

test('the result of work that is done in time is returned', async () => {
  expect(await within({ ms: 60_000 }, () => Promise.resolve(7))).toBe(7);
});
