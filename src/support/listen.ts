import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';

/** Milliseconds before an idle connection is closed. Long, because a client may be sending on it at that moment. */
const keepAliveMs = 60_000;

/** Returns an HTTP server for a Hono app; it does not listen yet. */
export function serverFor(app: { fetch: Parameters<typeof getRequestListener>[0] }): Server {
  const listener = getRequestListener(app.fetch);
  // Uploads may take any time: only this machine can hold a connection open.
  const options = { keepAliveTimeout: keepAliveMs, requestTimeout: 0 };
  return createServer(options, (request, response) => void listener(request, response));
}

/** Listens on loopback, on the first of `ports` that is free (0: any), and returns it. Rejects if none is free. */
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

/** Stops listening and closes all connections; resolves when that is done. */
export async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
