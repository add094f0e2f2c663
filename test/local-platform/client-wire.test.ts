import type { ServerResponse } from 'node:http';
import path from 'node:path';
import { execa } from 'execa';
import { createLeptonClient } from '../../src/lepton/client';
import { proxySettings } from '../../src/lepton/dispatcher';
import { askTokenExpiry } from '../../src/lepton/token-expiry';
import { connectProxy } from '../support/connect-proxy';
import { sendJson, startServer, type SeenRequest, type TestServer } from '../support/http-server';
import { certificateFile, tlsGateway } from '../support/tls-gateway';

/** What is sent and received where the local platform cannot show it: unusual answers, proxies, certificates. */

let server: TestServer;
let answer: (request: SeenRequest, response: ServerResponse) => void;
const notes: string[] = [];

beforeEach(async () => {
  notes.length = 0;
  server = await startServer((request, response) => answer(request, response));
});
afterEach(() => server.close());

const connect = (url = server.url, origin?: string) =>
  createLeptonClient(
    { url: `${url}/w`, workspace: 'w', token: 'tok-abcdef', origin },
    { onNote: (note) => notes.push(note) },
  );

describe('unusual but valid answers', () => {
  test('invalid items are ignored with a note; unknown states, unknown keys and nulls pass', async () => {
    answer = ({ url }, response) => {
      if (url === '/w/workspace') return sendJson(response, {});
      return sendJson(response, [
        {
          metadata: { name: 'a', labels: null },
          spec: { envs: null, brand: 'new' },
          status: { state: 'Migrating', endpoint: { external_endpoint: null } },
        },
        { metadata: { name: 7 }, spec: {} },
        {},
      ]);
    };
    const deployments = await connect().listDeployments();
    expect(deployments).toHaveLength(2);
    expect(deployments[0]).toMatchObject({
      metadata: { id: 'a' },
      spec: { brand: 'new' },
      status: { state: 'Migrating' },
    });
    expect(notes).toEqual([
      expect.stringContaining('GET /deployments: ignored: item 1 does not match the API: metadata.name'),
    ]);
  });

  test('a list of only invalid items, or no list at all, is an invalid response', async () => {
    answer = (_, response) => sendJson(response, [{ metadata: 7 }]);
    await expect(connect().listNodeGroups()).rejects.toMatchObject({ kind: 'invalid_response' });
    answer = (_, response) => sendJson(response, { items: [] });
    await expect(connect().listSecretNames()).rejects.toMatchObject({ kind: 'invalid_response' });
    answer = (_, response) => sendJson(response, null);
    expect(await connect().listSecretNames()).toEqual([]);
  });

  test.each([
    ['a bare array', (jobs: unknown[]) => jobs],
    ['an object', (jobs: unknown[]) => ({ jobs, total: 3 })],
  ])('jobs as %s, over pages of the size the server likes', async (_, wrap) => {
    const all = ['a', 'b', 'c'].map((id) => ({ metadata: { id: `${id}-1`, name: id } }));
    answer = ({ url }, response) => {
      const page = Number(new URL(url, 'http://x').searchParams.get('page'));
      sendJson(response, wrap(all.slice(page - 1, page)));
    };
    expect((await connect().listJobs()).map(({ metadata }) => metadata.id)).toEqual(['a-1', 'b-1', 'c-1']);
    expect(server.seen).toHaveLength(4);
    expect(server.seen[0]?.url).toBe('/w/jobs?job_query_mode=alive_and_archive&page=1&page_size=500');
  });

  test('a server that ignores pages is called twice, not forever; empty objects are empty lists', async () => {
    answer = (_, response) => sendJson(response, { jobs: [{ metadata: { id: 'a-1', name: 'a' } }] });
    expect(await connect().listJobs({ name: 'a', mode: 'alive_only' })).toHaveLength(1);
    expect(server.seen.map(({ url }) => url)).toEqual(
      [1, 2].map((page) => `/w/jobs?job_query_mode=alive_only&q=a&page=${page}&page_size=500`),
    );
    for (const empty of [{}, { jobs: null }, null]) {
      answer = (_, response) => sendJson(response, empty);
      expect(await connect().listJobs()).toEqual([]);
    }
  });

  test('replicas by the id that paths use; events without times; readiness without ready replicas', async () => {
    answer = ({ url }, response) => {
      if (url === '/w/workspace') return sendJson(response, {});
      if (url.includes('/replicas'))
        return sendJson(response, [{ id: 'old', metadata: { id: 'new' } }, { id: 'only' }, {}]);
      if (url.endsWith('/events'))
        return sendJson(response, [
          { type: 'Normal', reason: 'Pulled', count: 2, last_observed_time: '2025-11-25T00:00:00Z' },
          {},
        ]);
      return sendJson(response, {
        r0: [{ reason: 'InProgress', message: 'pulling image', creationTimestamp: 'x' }],
        r1: [{ reason: 'Ready', message: '' }],
        r2: null,
      });
    };
    const client = connect();
    expect(await client.jobReplicas('j-1')).toEqual([{ id: 'new' }, { id: 'only' }]);
    expect(await client.jobEvents('j-1')).toHaveLength(2);
    expect(await client.deploymentIssues('a')).toEqual([
      expect.objectContaining({ reason: 'InProgress', message: 'pulling image' }),
    ]);
  });
});

test('every name and path is encoded as one URL path', async () => {
  answer = ({ url }, response) => sendJson(response, url === '/w/workspace' ? {} : []);
  const client = connect();
  await client.jobReplicas('a/../b?x#y');
  expect(server.seen.at(-1)?.url).toBe('/w/jobs/a%2F..%2Fb%3Fx%23y/replicas?job_query_mode=alive_and_archive');
  await client.storage.mkdir('node-nfs:fs1', '/a b//ü/');
  expect(server.seen.at(-1)).toMatchObject({ method: 'PUT', url: '/w/storage/node-nfs:fs1/a%20b/%C3%BC' });
  await client.storage.remove('fs', '/d');
  expect(server.seen.at(-1)).toMatchObject({ method: 'DELETE', url: '/w/storage/fs/d?removeall=true' });
  await client.storage.list('fs', '/');
  expect(server.seen.slice(-2).map(({ method, url }) => `${method} ${url}`)).toEqual([
    'HEAD /w/storage/fs/',
    'GET /w/storage/fs/',
  ]);
  await expect(client.storage.exists('fs', '/a/../b')).rejects.toThrow('not a storage path');
});

test('the expiry of a token among many is the earliest whose visible parts match', async () => {
  const at = Date.UTC(2026, 0, 1);
  answer = (_, response) =>
    sendJson(response, [
      { masked_value: 'tok...def', expires_at: at + 5 },
      { masked_value: 'tok...def', expires_at: at },
      { masked_value: 'tok...xyz', expires_at: 1 },
      { masked_value: '...', expires_at: 2 },
      { masked_value: 'tok-abcdef...tok-abcdef', expires_at: 3 },
    ]);
  const access = { url: `${server.url}/w`, workspace: 'w', token: 'tok-abcdef' };
  expect(await askTokenExpiry(access)).toEqual(new Date(at));
  expect(await askTokenExpiry({ ...access, token: 'other' })).toBeUndefined();
});

test('requests to DGX Cloud get an origin; a given origin wins', async () => {
  const origins: (string | undefined)[] = [];
  const fetch = (_: string, init: { headers: Record<string, string> }) => {
    origins.push(init.headers['origin']);
    return Promise.resolve({ status: 200, statusText: '', headers: new Headers(), body: new Response('[]').body });
  };
  const at = { url: 'https://gateway.dgxc-lepton.nvidia.com/api/v2/workspaces/w', workspace: 'w', token: 't' };
  await createLeptonClient(at, { fetch }).listSecretNames();
  await createLeptonClient({ ...at, origin: 'https://dashboard.example' }, { fetch }).listSecretNames();
  expect(origins).toEqual(['https://gateway.dgxc-lepton.nvidia.com', 'https://dashboard.example']);
});

describe('proxies and certificates', () => {
  const before = { ...process.env };
  afterEach(() => {
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']) delete process.env[name];
    Object.assign(process.env, before);
  });

  test("the environment's proxy is used, but never for this machine", async () => {
    const proxy = await connectProxy(Number(new URL(server.url).port));
    answer = (_, response) => sendJson(response, [{ name: 'S' }]);
    process.env['HTTP_PROXY'] = new URL(proxy.url).host;
    try {
      expect(await connect('http://workspace.invalid').listSecretNames()).toEqual(['S']);
      expect(proxy.tunnels).toEqual(['workspace.invalid:80']);
      expect(await connect().listSecretNames()).toEqual(['S']);
      expect(proxy.tunnels).toHaveLength(1);
    } finally {
      await proxy.close();
    }
  });

  test('proxy variables are read as other tools do', () => {
    expect(proxySettings({ https_proxy: 'http://low', HTTPS_PROXY: 'http://up', NO_PROXY: 'a.example, .b' })).toEqual({
      httpProxy: '',
      httpsProxy: 'http://low',
      noProxy: 'a.example,.b,localhost,127.0.0.1,[::1]',
    });
    expect(proxySettings({ no_proxy: '*' }).noProxy).toBe('*');
  });

  /** In a process of its own: Node reads NODE_EXTRA_CA_CERTS when it starts. Resolves to what the script prints. */
  const elsewhere = async (env: Record<string, string>, script: string): Promise<string> => {
    const dist = JSON.stringify(path.join(__dirname, '..', '..', 'dist'));
    const prelude = `const {createLeptonClient}=require(${dist}+'/lepton/client.js');const {probeModel}=require(${dist}+'/lepton/probe.js');`;
    const say = `.then((it)=>console.log(JSON.stringify(it)),(error)=>console.log(error.message)).then(()=>process.exit())`;
    return (await execa(process.execPath, ['-e', `${prelude}(async()=>${script})()${say}`], { env })).stdout;
  };

  test('an unknown certificate is refused with advice, and accepted with NODE_EXTRA_CA_CERTS', async () => {
    answer = (_, response) => sendJson(response, [{ name: 'S' }]);
    const gateway = await tlsGateway(server.url);
    const url = `https://127.0.0.1:${gateway.port}`;
    try {
      const refused = connect(url).listSecretNames();
      await expect(refused).rejects.toMatchObject({ kind: 'network' });
      await expect(refused).rejects.toThrow(/certificate is not trusted \(\w+\).*NODE_EXTRA_CA_CERTS/);
      const script = `createLeptonClient({url:${JSON.stringify(url)},workspace:'w',token:'t'}).listSecretNames()`;
      expect(await elsewhere({ NODE_EXTRA_CA_CERTS: certificateFile }, script)).toBe('["S"]');
    } finally {
      await gateway.close();
    }
  });

  test('platform and endpoint through HTTPS_PROXY with TLS and a private certificate; NO_PROXY bypasses it', async () => {
    answer = ({ url }, response) =>
      sendJson(response, url.endsWith('/models') ? { data: [{ id: 'm' }] } : [{ name: 'S' }]);
    const gateway = await tlsGateway(server.url);
    const proxy = await connectProxy(gateway.port);
    const settings = { NODE_EXTRA_CA_CERTS: certificateFile, HTTPS_PROXY: proxy.url };
    const secrets = `createLeptonClient({url:'https://gateway.lepton.test/w',workspace:'w',token:'t'}).listSecretNames()`;
    const probe = `{servedModel:'m',healthPath:null,warmUp:'chat',token:null}`;
    const ready = `probeModel({url:'https://ws-ep.lepton.test:8443',kind:'dedicated',probe:${probe},key:'k',signal:AbortSignal.timeout(20000)})`;
    try {
      expect(await elsewhere(settings, secrets)).toBe('["S"]');
      expect(proxy.tunnels).toEqual(['gateway.lepton.test:443']);
      expect(await elsewhere(settings, ready)).toBe('{"kind":"ready"}');
      expect(proxy.tunnels.slice(1)).toContain('ws-ep.lepton.test:8443');
      expect(gateway.seen.map(({ method, host, url }) => `${method} ${host}${url}`)).toEqual([
        'GET gateway.lepton.test/w/usersecrets',
        'GET ws-ep.lepton.test:8443/v1/models',
        'POST ws-ep.lepton.test:8443/v1/chat/completions',
      ]);
      const through = proxy.tunnels.length;
      expect(await elsewhere({ ...settings, NO_PROXY: '.lepton.test' }, secrets)).toMatch(/host name/);
      expect(await elsewhere({ HTTPS_PROXY: proxy.url }, ready)).toMatch(/not yet.*certificate is not trusted/);
      expect(proxy.tunnels.length).toBeGreaterThan(through);
    } finally {
      await proxy.close();
      await gateway.close();
    }
  });
});
