import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';

/** Idle connections are kept this long, so that clients seldom send on one that is just being closed. */
const keepAliveMs = 60_000;

/** An HTTP server, not listening yet, for a Hono app. */
export function serverFor(app: { fetch: Parameters<typeof getRequestListener>[0] }): Server {
  const listener = getRequestListener(app.fetch);
  // Uploads may take as long as they need: nobody but this machine can hold a connection open.
  const options = { keepAliveTimeout: keepAliveMs, requestTimeout: 0 };
  return createServer(options, (request, response) => void listener(request, response));
}

/** Listens on loopback. `ports` are tried in order; 0 means any free one. Rejects when the last one is taken too. */
export async function listenOnLoopback(server: Server, ports: readonly number[]): Promise<number> {
  const [port = 0, ...others] = ports;
  const listening = once(server, 'listening');
  server.listen({ host: '127.0.0.1', port });
  try {
    await listening;
  } catch (error) {
    if (others.length > 0) return listenOnLoopback(server, others);
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `Port ${port} of 127.0.0.1 can't be listened on (${code}). Choose another with --port, or 0 for any.`,
      {
        cause: error,
      },
    );
  }
  return (server.address() as AddressInfo).port;
}

/** Stops listening and cuts what is still connected; resolves when all is closed. */
export async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
