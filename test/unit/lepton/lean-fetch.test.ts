import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { leanFetch } from '../../../src/lepton/lean-fetch';
import type { FetchInit } from '../../../src/lepton/http';

/** What callers expect of `fetch`. */
let server: Server;
let url: string;
let connections = 0;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
beforeAll(async () => {
  server = createServer((request, response) => answer(request, response));
  server.on('connection', () => (connections += 1));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const initOf = (change: Partial<FetchInit> = {}): FetchInit => ({
  method: 'GET',
  headers: { authorization: 'Bearer secret' },
  redirect: 'follow',
  signal: new AbortController().signal,
  ...change,
});

async function textOf(change: Partial<FetchInit> = {}): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of (await leanFetch(url, initOf(change))).body ?? []) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

test.each([
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
])('a body in %s is decoded', async (encoding, compress) => {
  const text = 'déjà vu '.repeat(10_000);
  answer = ({ headers }, response) => {
    expect(headers['accept-encoding']).toContain(encoding);
    response.setHeader('content-encoding', encoding).end(compress(text));
  };
  expect(await textOf()).toBe(text);
});

test('a body that breaks off is a failure, encoded or not', async () => {
  answer = (_, response) => {
    response.setHeader('content-length', 100).write('half');
    setTimeout(() => response.destroy(), 20);
  };
  await expect(textOf()).rejects.toThrow();
  answer = (_, response) => {
    response.setHeader('content-encoding', 'gzip').end(gzipSync('x'.repeat(10_000)).subarray(0, 20));
  };
  await expect(textOf()).rejects.toThrow();
});

test('redirects are followed where they may be, and the token stays with its server', async () => {
  const other = createServer(({ headers }, response) => response.end(headers.authorization ?? 'no token'));
  await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
  try {
    const away = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
    answer = (_, response) => response.writeHead(307, { location: away }).end();
    expect(await textOf()).toBe('no token');
    const { status, headers } = await leanFetch(url, initOf({ redirect: 'manual' }));
    expect({ status, location: headers.get('location') }).toEqual({ status: 307, location: away });
  } finally {
    other.close();
  }
});

test('an unread body does not keep the next request from its connection', async () => {
  answer = (_, response) => response.end('x'.repeat(5_000));
  await textOf();
  const before = connections;
  for (let round = 0; round < 3; round += 1) {
    const { body } = await leanFetch(url, initOf());
    await body?.[Symbol.asyncIterator]().return?.();
    await textOf();
  }
  // The first reading of a round may find the connection still busy.
  expect(connections - before).toBeLessThanOrEqual(1);
});

test('an abort ends request and body with its reason', async () => {
  answer = (_, response) => void response.write('the beginning');
  const waiting = new AbortController();
  const reading = textOf({ signal: waiting.signal });
  setTimeout(() => waiting.abort(new Error('enough')), 50);
  await expect(reading).rejects.toThrow('enough');
});
