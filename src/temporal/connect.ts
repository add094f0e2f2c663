import type { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { firstLine } from '../support/lines';
import { messageOf } from '../support/error-message';
import { whoActs } from '../support/who';
import { InfrastructureError } from './infrastructure-error';
import { noteNamespace } from './origin';
import { explainFault, isRefusedAccess } from './grpc';
import { isLoopback, proxyHint } from './proxy';

export interface ConnectRequest {
  readonly connection: NativeConnectionOptions;
  readonly namespace: string;
  /** Of `encryptionOf`; everything that talks to Temporal must use it. */
  readonly dataConverter: DataConverter;
  /** Milliseconds until the server must have answered, which may just be starting. Default 10 000. */
  readonly timeoutMs?: number;
  /** Milliseconds that each later call may take; see `boundedCalls`. */
  readonly callTimeoutMs?: number;
  /** Whether it is the home's own server: decides what error messages advise. */
  readonly isEmbedded?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Returns a connected client; its namespace exists. Close it with `client.connection.close()`. Throws `InfrastructureError`. */
export async function connectClient(request: ConnectRequest): Promise<Client> {
  const deadline = Date.now() + (request.timeoutMs ?? 10_000);
  for (;;) {
    request.signal?.throwIfAborted();
    try {
      return await connectOnce(request, Math.max(500, Math.min(5_000, deadline - Date.now())));
    } catch (error) {
      // Refused credentials stay refused. A starting server may not have created its namespace yet.
      if (isRefusedAccess(error) || Date.now() + 100 > deadline) throw explain(error, request);
      await sleep(100);
    }
  }
}

async function connectOnce(request: ConnectRequest, withinMs: number): Promise<Client> {
  const [{ Client: TemporalClient, Connection }, { boundedCalls }, { traceHeaders }] = await Promise.all([
    import('@temporalio/client'),
    import('./deadlines.js'),
    import('./trace-header.js'),
  ]);
  const { namespace, dataConverter } = request;
  const connection = Connection.lazy({
    ...clientOptions(request.connection),
    connectTimeout: withinMs,
    interceptors: boundedCalls(request.callTimeoutMs),
    // A proxy can't reach a server on this machine, but gRPC would use it.
    ...(isLoopback(addressOf(request)) ? { channelArgs: { 'grpc.enable_http_proxy': 0 } } : {}),
  });
  try {
    await connection.ensureConnected();
    const { namespaceInfo } = await connection.withDeadline(Date.now() + withinMs, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    if (namespaceInfo?.id) noteNamespace({ connection }, namespaceInfo.id);
    return new TemporalClient({
      connection,
      namespace,
      dataConverter,
      identity: identityOf(process.env),
      interceptors: { workflow: [traceHeaders] },
    });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Whom histories name as having started or cancelled a run. */
const identityOf = (env: NodeJS.ProcessEnv): string => `${whoActs(env)}@${hostname()} evalsaga/${process.pid}`;

/** The part of the worker's connection options that the client's connection takes. */
function clientOptions({ address, tls, apiKey, metadata }: NativeConnectionOptions): object {
  return {
    ...(address === undefined ? {} : { address }),
    ...(tls === undefined || tls === null ? {} : { tls }),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

const addressOf = ({ connection }: Pick<ConnectRequest, 'connection'>): string =>
  connection.address ?? 'localhost:7233';

function explain(error: unknown, request: ConnectRequest): InfrastructureError {
  const { namespace, isEmbedded = false } = request;
  const name = `Temporal at ${addressOf(request)}`;
  const proxy = proxyHint(addressOf(request), process.env);
  const explained = explainFault(error, { name, namespace, isEmbedded });
  if (explained) return proxy === '' ? explained : new InfrastructureError(explained.message + proxy, { cause: error });
  const seen = firstLine(messageOf(error));
  return new InfrastructureError(
    `${name} cannot be reached (${seen}). Check TEMPORAL_ADDRESS or your temporal.toml profile, and that the server runs.${proxy}`,
    { cause: error },
  );
}
