import { createServer, type AddressInfo } from 'node:net';
import { connectClient } from '../../../src/temporal/connect';
import { encryptionOf } from '../../../src/temporal/encryption/data-converter';
import { proxyHint, temporalProxy } from '../../../src/temporal/proxy';
import { startBench, type Bench } from '../../support/bench';

/** Proxies between this machine and Temporal. */

test.each([
  ['127.0.0.1:7233', { http_proxy: 'http://p:1' }, undefined],
  ['localhost:7233', { grpc_proxy: 'http://p:1' }, undefined],
  ['[::1]:7233', { https_proxy: 'http://p:1' }, undefined],
  ['far:7233', { https_proxy: 'http://p:1', http_proxy: 'http://q:2' }, { variable: 'https_proxy', target: 'p:1' }],
  ['far:7233', { http_proxy: 'http://p', no_proxy: 'x,far' }, undefined],
  ['a.far:7233', { http_proxy: 'http://p', no_proxy: '.far' }, undefined],
  ['far:7233', { http_proxy: 'http://u:p%40@q' }, { target: 'q:80', login: { username: 'u', password: 'p@' } }],
  ['far:7233', { HTTPS_PROXY: 'http://p:1' }, undefined],
  ['far:7233', { https_proxy: 'socks5://p:1' }, undefined],
])('%s with %j', (address, env, proxy) => {
  const found = temporalProxy(address, env);
  if (proxy === undefined) expect(found).toBeUndefined();
  else expect(found).toMatchObject(proxy);
});

test('the hint names the variable and the proxy, without its credentials', () => {
  expect(proxyHint('far:7233', { https_proxy: 'http://u:secret@p:1' })).toMatch(/https_proxy names \(p:1\).*no_proxy/);
  expect(proxyHint('far:7233', { HTTPS_PROXY: 'http://p:1' })).toMatch(/HTTPS_PROXY is set.*https_proxy/);
  expect(proxyHint('127.0.0.1:7233', { https_proxy: 'http://p:1', HTTPS_PROXY: 'http://p:1' })).toBe('');
});

describe('with a proxy that closes all connections', () => {
  let bench: Bench;
  const before = process.env['http_proxy'];
  beforeAll(async () => {
    bench = await startBench();
  });
  afterAll(async () => {
    if (before === undefined) delete process.env['http_proxy'];
    else process.env['http_proxy'] = before;
    await bench.close();
  });

  test('a client connects to Temporal on this machine without the proxy', async () => {
    let asked = 0;
    const proxy = createServer((socket) => {
      asked += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => proxy.once('listening', resolve));
    process.env['http_proxy'] = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const { address } = bench.env;
    const client = await connectClient({
      ...{ connection: { address }, namespace: 'default', timeoutMs: 5_000 },
      dataConverter: encryptionOf({}).dataConverter,
    });
    await client.connection.close();
    proxy.close();
    expect(asked).toBe(0);
  });
});
