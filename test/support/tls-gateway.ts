import { readFileSync } from 'node:fs';
import { request as forward } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const folder = path.join(__dirname, '..', 'fixtures', 'tls');

/** A certificate of no known authority, which signs itself: for localhost, 127.0.0.1 and *.lepton.test. */
export const certificateFile = path.join(folder, 'cert.pem');

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly host: string;
  /** Empty: none was sent. */
  readonly origin: string;
}

export interface TlsGateway {
  readonly port: number;
  /** Requests as they arrived, in order. */
  readonly seen: readonly Seen[];
  close(): Promise<void>;
}

/** Serves on TLS what `target` (`http://127.0.0.1:<port>`) serves in the clear, under whatever name it is asked. */
export async function tlsGateway(target: string): Promise<TlsGateway> {
  const { hostname, port, host } = new URL(target);
  const seen: Seen[] = [];
  const pair = { key: readFileSync(path.join(folder, 'key.pem')), cert: readFileSync(certificateFile) };
  const server = createServer(pair, (incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    seen.push({ method, url, host: headers.host ?? '', origin: headers.origin ?? '' });
    const kept = { ...headers, host };
    // The platform refuses what comes from a foreign page.
    delete kept.origin;
    const onward = forward({ hostname, port, method, path: url, headers: kept }, (answer) => {
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
