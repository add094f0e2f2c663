import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { within } from '../../../src/support/within';
import { startServer } from '../../support/http-server';

setFlagsFromString('--expose-gc');
const tidyUp = runInNewContext('gc') as () => void;

test('a question to a server that hangs ends in time, also when memory is tidied up in between', async () => {
  const server = await startServer(() => undefined);
  const tidying = setInterval(tidyUp, 20);
  try {
    const asked = within({ ms: 300, signal: new AbortController().signal }, (signal) => fetch(server.url, { signal }));
    await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
  } finally {
    clearInterval(tidying);
    await server.close();
  }
});

test('the given signal ends the work, at once or later, with its own reason', async () => {
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

test('work that is done in time gives what it comes to', async () => {
  expect(await within({ ms: 60_000 }, () => Promise.resolve(7))).toBe(7);
});
