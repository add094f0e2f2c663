import { createServer } from 'node:net';

/** The first of the wished ports that is free on loopback, else any free one. `taken`: not to be used. */
export async function freePort(
  wished: readonly (number | undefined)[],
  taken: readonly number[] = [],
): Promise<number> {
  for (const port of wished) {
    if (port !== undefined && !taken.includes(port) && (await claim(port)) !== undefined) return port;
  }
  for (;;) {
    const port = await claim(0);
    if (port === undefined) throw new Error('This machine has no free TCP port on 127.0.0.1.');
    if (!taken.includes(port)) return port;
  }
}

async function claim(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });
}
