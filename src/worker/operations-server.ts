import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Hono } from 'hono';
import { fetch } from 'undici';
import { closeServer, serverFor } from '../support/listen';
import { InfrastructureError } from '../temporal/infrastructure-error';

/** What people and machines that operate a worker ask it over HTTP. Serves nothing else, and nothing secret. */
export interface OperationsServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface OperationsRequest {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Of the SDK's own Prometheus endpoint, on loopback. */
  readonly metricsUrl: string;
  /** `starting` and `ending`: it takes no new work. `failed`: it never will again. */
  readonly state: () => 'starting' | 'serving' | 'ending' | 'failed';
}

/**
 * Serves `GET /metrics` (Prometheus text), `GET /healthz` (200 unless the worker has failed) and `GET /readyz` (200 while it takes
 * work). Throws `InfrastructureError` if the address can't be listened on.
 */
export async function startOperationsServer(request: OperationsRequest): Promise<OperationsServer> {
  const { host, port } = request;
  const server = serverFor(operationsApp(request));
  const listening = once(server, 'listening');
  server.listen({ host, port });
  await listening.catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw new InfrastructureError(
      `EVALSAGA_METRICS_ADDRESS: ${host}:${port} can't be listened on (${code}). Choose another port, or 0 for any free one.`,
      { cause: error },
    );
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

/** Returns the app without a server, for tests. */
export function operationsApp({ metricsUrl, state }: Pick<OperationsRequest, 'metricsUrl' | 'state'>): Hono {
  const app = new Hono();
  app.get('/healthz', (context) => context.text(`${state()}\n`, state() === 'failed' ? 503 : 200));
  app.get('/readyz', (context) => context.text(`${state()}\n`, state() === 'serving' ? 200 : 503));
  app.get('/metrics', async (context) => {
    try {
      const answer = await fetch(metricsUrl, { signal: AbortSignal.timeout(5_000) });
      return context.body(await answer.text(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    } catch {
      return context.text('metrics are not available\n', 503);
    }
  });
  return app;
}
