import { createServer } from 'node:net';

/** Ports given out lately: whoever got one may not listen yet. */
const givenOut = new Set<number>();
const REMEMBERED = 512;

/** A port on loopback that nobody listens at and that was not given out lately. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await listenFor(0);
    if (port === undefined) throw new Error('No free port was found on loopback.');
    if (givenOut.has(port)) continue;
    givenOut.add(port);
    if (givenOut.size > REMEMBERED) givenOut.delete(givenOut.values().next().value ?? port);
    return port;
  }
}

export async function isFree(port: number): Promise<boolean> {
  return (await listenFor(port)) !== undefined;
}

/** Listens for a moment: the port, or `undefined` when it is taken. */
async function listenFor(wanted: number): Promise<number | undefined> {
  const probe = createServer();
  try {
    await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(wanted, '127.0.0.1', resolve));
  } catch {
    return undefined;
  }
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return address === null || typeof address === 'string' ? undefined : address.port;
}
