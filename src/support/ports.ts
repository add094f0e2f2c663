import { createServer } from 'node:net';

/** Returns the first of `preferred` that is free on loopback, otherwise any free port; never one of `taken`. */
export async function freePort(
  preferred: readonly (number | undefined)[],
  taken: readonly number[] = [],
): Promise<number> {
  for (const port of preferred) {
    if (port !== undefined && !taken.includes(port) && (await listenBriefly(port)) !== undefined) return port;
  }
  for (;;) {
    const port = await listenBriefly(0);
    if (port === undefined) throw new Error('This machine has no free TCP port on 127.0.0.1.');
    if (!taken.includes(port)) return port;
  }
}

/** Returns the port, or the one that was assigned for 0; `undefined` if it is taken. */
async function listenBriefly(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });
}
