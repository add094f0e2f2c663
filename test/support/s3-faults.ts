import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to a request instead of reaching the server, or to its answer. */
export type S3Fault =
  | { readonly kind: 'answer'; readonly status: number; readonly code: string }
  /** The connection breaks before anything is sent on. */
  | { readonly kind: 'drop' }
  /** The server does it, and the answer breaks off after that many bytes. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** The server does it, and what it says about checksums is lost: a server that doesn't know them. */
  | { readonly kind: 'no checksums' }
  /** The request waits until the proxy is closed. */
  | { readonly kind: 'hang' };

export interface S3Request {
  readonly method: string;
  /** With the query. */
  readonly url: string;
}

export interface S3Proxy {
  readonly port: number;
  readonly seen: readonly S3Request[];
  /** Decides about each request; `undefined`: it passes. */
  disturb(rule: (request: S3Request) => S3Fault | undefined): void;
  close(): Promise<void>;
}

/** Starts a proxy to a server that speaks S3. Signatures stay valid: the request is passed on with its Host. */
export async function openS3Proxy(target: number): Promise<S3Proxy> {
  const seen: S3Request[] = [];
  let rule: (request: S3Request) => S3Fault | undefined = () => undefined;
  const server = createServer((incoming, response) => {
    const asked = { method: incoming.method ?? '', url: incoming.url ?? '' };
    seen.push(asked);
    const fault = rule(asked);
    switch (fault?.kind) {
      case 'drop':
        return void incoming.socket.destroy();
      case 'hang':
        return;
      case 'answer': {
        incoming.resume();
        const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${fault.code}</Code><Message>${fault.code} by the test</Message></Error>`;
        return void incoming.on('end', () =>
          response.writeHead(fault.status, { 'content-type': 'application/xml', connection: 'close' }).end(body),
        );
      }
      case 'cut':
      case 'no checksums':
      case undefined:
        return pass(incoming, response, { target, fault });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    disturb: (next) => {
      rule = next;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function pass(
  incoming: IncomingMessage,
  response: ServerResponse,
  { target, fault }: { readonly target: number; readonly fault: S3Fault | undefined },
): void {
  const { method, url: path, headers } = incoming;
  const onward = send({ host: '127.0.0.1', port: target, method, path, headers }, (answer) => {
    const kept = Object.entries(answer.headers).filter(
      ([name]) => fault?.kind !== 'no checksums' || !name.startsWith('x-amz-checksum'),
    );
    response.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept));
    let bytes = 0;
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (fault?.kind === 'cut' && bytes > fault.afterBytes) response.destroy();
      else response.write(chunk);
    });
    answer.on('end', () => response.end());
  });
  onward.on('error', () => response.destroy());
  incoming.on('error', () => onward.destroy());
  incoming.pipe(onward);
}
