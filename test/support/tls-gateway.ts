import { readFileSync } from 'node:fs';
import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const folder = path.join(__dirname, '..', 'fixtures', 'tls');

/** A self-signed certificate for localhost, 127.0.0.1 and *.lepton.test. */
export const certificateFile = path.join(folder, 'cert.pem');

interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  /** Empty if none was sent. */
  readonly origin: string;
}

export interface TlsGateway {
  readonly port: number;
  /** Requests as they arrived, in order. */
  readonly seen: readonly SeenRequest[];
  close(): Promise<void>;
}

/**
 * `https://ep-<port>.lepton.test` stands for `http://127.0.0.1:<port>`, as a platform behind a gateway shows its
 * endpoints.
 */
const endpointHost = /^ep-(\d+)\.lepton\.test(?::|$)/;
const withPublicUrls = (json: string): string =>
  json.replace(/http:\/\/127\.0\.0\.1:(\d+)/g, 'https://ep-$1.lepton.test');

/**
 * Serves `target` (`http://127.0.0.1:<port>`) over TLS, under any host name, and the servers on this machine that its
 * responses refer to.
 */
export async function tlsGateway(target: string): Promise<TlsGateway> {
  const { hostname, port: targetPort } = new URL(target);
  const seen: SeenRequest[] = [];
  const pair = { key: readFileSync(path.join(folder, 'key.pem')), cert: readFileSync(certificateFile) };
  const server = createServer(pair, (incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    seen.push({ method, url, host: headers.host ?? '', origin: headers.origin ?? '' });
    const port = endpointHost.exec(headers.host ?? '')?.[1] ?? targetPort;
    const kept: typeof headers = { ...headers, host: `${hostname}:${port}` };
    // The platform refuses requests with a foreign origin.
    delete kept.origin;
    const onward = forward({ hostname, port, method, path: url, headers: kept }, (answer) => {
      if (answer.headers['content-type']?.startsWith('application/json')) return void passJson(answer, outgoing);
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function passJson(answer: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of answer) chunks.push(chunk as Buffer);
  } catch {
    return void outgoing.destroy();
  }
  const body = Buffer.from(withPublicUrls(Buffer.concat(chunks).toString('utf8')));
  const headers = { ...answer.headers, 'content-length': body.byteLength };
  delete headers['transfer-encoding'];
  outgoing.writeHead(answer.statusCode ?? 502, headers).end(body);
}
