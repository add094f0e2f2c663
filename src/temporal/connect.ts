import type { Client } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { setTimeout as sleep } from 'node:timers/promises';
import { InfrastructureError } from './errors';

export interface ConnectRequest {
  readonly connection: NativeConnectionOptions;
  readonly namespace: string;
  /** As `encryptionOf` makes it: nothing that talks to Temporal may go without. */
  readonly dataConverter: DataConverter;
  /** How long the server may take to answer, milliseconds; covers a server that is just starting. Default 10 000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** A connected client, its namespace known to exist. Close with `client.connection.close()`. Throws `InfrastructureError`. */
export async function connectClient(request: ConnectRequest): Promise<Client> {
  const { Client: TemporalClient, Connection } = await import('@temporalio/client');
  const deadline = Date.now() + (request.timeoutMs ?? 10_000);
  for (;;) {
    request.signal?.throwIfAborted();
    try {
      const connectTimeout = Math.max(500, Math.min(5_000, deadline - Date.now()));
      const connection = await Connection.connect({ ...clientOptions(request.connection), connectTimeout });
      try {
        await connection.withDeadline(Date.now() + 5_000, () =>
          connection.workflowService.describeNamespace({ namespace: request.namespace }),
        );
        return new TemporalClient({ connection, namespace: request.namespace, dataConverter: request.dataConverter });
      } catch (error) {
        await connection.close();
        throw error;
      }
    } catch (error) {
      if (isFinal(error) || Date.now() + 100 > deadline) throw explain(error, request);
      await sleep(100);
    }
  }
}

/** The part of the worker's connection options that the client's connection takes. */
function clientOptions({ address, tls, apiKey, metadata }: NativeConnectionOptions): object {
  return {
    ...(address === undefined ? {} : { address }),
    ...(tls === undefined || tls === null ? {} : { tls }),
    ...(apiKey === undefined ? {} : { apiKey }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

const grpc = { notFound: 5, permissionDenied: 7, unauthenticated: 16 } as const;

function codeOf(error: unknown): number | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'number') return at.code;
  }
  return undefined;
}

/** Waiting does not help: refused credentials. A missing namespace may still be under way on a starting server. */
function isFinal(error: unknown): boolean {
  const code = codeOf(error);
  return code === grpc.permissionDenied || code === grpc.unauthenticated;
}

function explain(error: unknown, { connection, namespace }: ConnectRequest): InfrastructureError {
  const address = connection.address ?? 'localhost:7233';
  const seen = error instanceof Error ? error.message.split('\n')[0] : String(error);
  const code = codeOf(error);
  if (code === grpc.notFound) {
    return new InfrastructureError(
      `Temporal at ${address} has no namespace "${namespace}". Create it, or set TEMPORAL_NAMESPACE.`,
      { cause: error },
    );
  }
  if (code === grpc.permissionDenied || code === grpc.unauthenticated) {
    return new InfrastructureError(
      `Temporal at ${address} refused the credentials for namespace "${namespace}" (${seen}). Check TEMPORAL_API_KEY or the TLS client certificate.`,
      { cause: error },
    );
  }
  return new InfrastructureError(
    `Temporal at ${address} cannot be reached (${seen}). Check TEMPORAL_ADDRESS or your temporal.toml profile, and that the server runs.`,
    { cause: error },
  );
}
