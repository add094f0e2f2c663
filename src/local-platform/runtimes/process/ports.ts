import { createServer } from 'node:net';

/** Ports returned recently, which their callers may not listen on yet. */
const recentPorts = new Set<number>();
const MAX_RECENT = 512;

/** Returns a free port on loopback that was not returned recently. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await listenFor(0);
    if (port === undefined) throw new Error('No free port was found on loopback.');
    if (recentPorts.has(port)) continue;
    recentPorts.add(port);
    if (recentPorts.size > MAX_RECENT) recentPorts.delete(recentPorts.values().next().value ?? port);
    return port;
  }
}

export async function isFree(port: number): Promise<boolean> {
  return (await listenFor(port)) !== undefined;
}

/** Listens for a moment; returns the port, or `undefined` if it is taken. */
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
