import { createServer } from 'node:net';

/** Ports returned recently, which their callers may not listen on yet. */
const recentPorts = new Set<number>();
const MAX_RECENT = 512;

function remember(port: number): void {
  recentPorts.add(port);
  if (recentPorts.size > MAX_RECENT) recentPorts.delete(recentPorts.values().next().value ?? port);
}

/** Returns a free port on loopback that was not returned recently. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await listenFor(0);
    if (port === undefined) throw new Error('No free port was found on loopback.');
    if (recentPorts.has(port)) continue;
    remember(port);
    return port;
  }
}

/** Ports below those that Linux, macOS and Windows assign by default. */
const quiet = { from: 20_000, count: 12_000 } as const;

/** As `freePort`, for a process that listens on it only in a while: no one who asks for any port is given it meanwhile. */
export async function freePortForLater(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = quiet.from + Math.floor(Math.random() * quiet.count);
    if (recentPorts.has(port) || !(await isFree(port))) continue;
    remember(port);
    return port;
  }
  return freePort();
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
