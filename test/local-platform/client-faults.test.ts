import type { ServerResponse } from 'node:http';
import { createLeptonClient } from '../../src/lepton/client';
import { LeptonError, type LeptonErrorKind } from '../../src/lepton/lepton-error';
import type { LeptonClient } from '../../src/lepton/types';
import { sendJson, startServer, type SeenRequest, type TestServer } from '../support/http-server';

/** Faults of a server, and how the client reports them. */

const workspaceInfo = { workspace_name: 'ws1', workspace_state: 'normal', supported_shapes: {} };

let server: TestServer;
let answer: (request: SeenRequest, response: ServerResponse) => void | Promise<void>;

beforeEach(async () => {
  server = await startServer((request, response) =>
    request.url === '/api/v2/workspaces/ws1/workspace' ? sendJson(response, workspaceInfo) : answer(request, response),
  );
});
afterEach(() => server.close());

function connect(options: { token?: string; slash?: boolean; origin?: string; timeoutMs?: number } = {}): LeptonClient {
  return createLeptonClient(
    {
      url: `${server.url}/api/v2/workspaces/ws1${options.slash ? '/' : ''}`,
      workspace: 'ws1',
      token: options.token ?? 'tok-0123456789',
      source: 'LEPTON_WORKSPACE_TOKEN',
      origin: options.origin,
    },
    { timeoutMs: options.timeoutMs },
  );
}

async function failure(promise: Promise<unknown>): Promise<LeptonError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LeptonError);
  return error as LeptonError;
}

test.each<[number, LeptonErrorKind]>([
  [400, 'invalid_request'],
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not_found'],
  [409, 'conflict'],
  [422, 'invalid_request'],
  [429, 'rate_limited'],
  [500, 'server'],
  [502, 'server'],
  [503, 'server'],
  [504, 'server'],
])('status %i is %s, with method, path and what the service said', async (status, kind) => {
  answer = (_, response) => sendJson(response, { code: 'SomeCode', message: 'some reason' }, status);
  const error = await failure(connect().createJob({ name: 'eval-a', spec: {} }));
  expect(error).toMatchObject({ kind, status, request: 'POST /jobs', retryAfterMs: undefined });
  expect(error.message).toContain(`POST /jobs: ${status}`);
  expect(error.message).toContain('(SomeCode: some reason)');
});

test('401 and 403 name the workspace and where the token came from, never the token', async () => {
  for (const status of [401, 403]) {
    answer = (request, response) => sendJson(response, { message: `bad: ${request.headers.authorization}` }, status);
    const { message } = await failure(connect().listDeployments());
    expect(message).toContain('workspace ws1');
    expect(message).toContain('LEPTON_WORKSPACE_TOKEN');
    expect(message).not.toContain('tok-0123456789');
  }
});

test('Retry-After in seconds and as a date', async () => {
  answer = (_, response) => sendJson(response, {}, 429, { 'retry-after': '30' });
  expect((await failure(connect().listJobs())).retryAfterMs).toBe(30_000);

  answer = (_, response) => sendJson(response, {}, 503, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() });
  const wished = (await failure(connect().listJobs())).retryAfterMs ?? 0;
  expect(wished).toBeGreaterThan(55_000);
  expect(wished).toBeLessThanOrEqual(60_000);
});

test('an echoed request body reveals no secret, however it is escaped', async () => {
  const secret = 'p"a$s`s\n wörd:ws';
  answer = ({ body, headers }, response) => {
    const text = `refused: ${body} twice: ${JSON.stringify(body)} ${encodeURIComponent(secret)} ${headers.authorization}`;
    response.writeHead(422, { 'content-type': 'text/plain' }).end(text);
  };
  const spec = {
    envs: [
      { name: 'HF_TOKEN', value: secret },
      { name: 'PIN', value: '1234' },
      { name: 'EVALSAGA_TASK', value: '7' },
    ],
    api_tokens: [{ value: 'endpoint-key-1' }],
  };
  const { message } = await failure(connect().createDeployment({ name: 'a', spec }));
  for (const leak of [
    secret,
    JSON.stringify(secret).slice(1, -1),
    'wörd',
    '1234',
    'endpoint-key-1',
    'tok-0123456789',
  ]) {
    expect(message).not.toContain(leak);
  }
  expect(message).toContain('HF_TOKEN');
});

test('a huge error body is truncated, and cannot control the terminal', async () => {
  answer = (_, response) => response.writeHead(500).end(`\u001b[31mred\r\n${'x'.repeat(5_000_000)}`) as unknown as void;
  const { message } = await failure(connect().listDeployments());
  expect(message.length).toBeLessThan(700);
  expect(message).toContain('[31mred xxx');
  expect(message).not.toContain('\u001b');
});

test('a success that is not JSON, or does not match the API, is an invalid response', async () => {
  answer = (_, response) => response.writeHead(200).end('<html>Sign in</html>') as unknown as void;
  const html = await failure(connect().listDeployments());
  expect(html.kind).toBe('invalid_response');
  expect(html.message).toContain('not JSON: <html>Sign in</html>');

  answer = (_, response) => sendJson(response, { metadata: { name: 'eval-a' } });
  const noId = await failure(connect().createJob({ name: 'eval-a', spec: {} }));
  expect(noId.kind).toBe('invalid_response');
  expect(noId.message).toContain('metadata: has no id');

  answer = (_, response) => sendJson(response, { deployments: [] });
  expect((await failure(connect().listDeployments())).kind).toBe('invalid_response');
});

test('a connection lost before or during the answer is a network failure', async () => {
  answer = (_, response) => void response.socket?.destroy();
  const before = await failure(connect().createDeployment({ name: 'a', spec: {} }));
  expect(before).toMatchObject({ kind: 'network', status: undefined });
  expect(before.message).toContain('POST /deployments: the connection was cut (127.0.0.1:');

  answer = (_, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('[{"metadata"', () => response.socket?.destroy());
  };
  const middle = await failure(connect().listDeployments());
  expect(middle.kind).toBe('network');
  expect(middle.message).toContain('the connection was cut');
});

test('a refused connection is a network failure that names the host', async () => {
  const client = connect();
  await server.close();
  const error = await failure(client.listJobs());
  expect(error.kind).toBe('network');
  expect(error.message).toMatch(/^GET \/jobs: connection refused \(127\.0\.0\.1:\d+\)$/);
});

test('a server that never answers, or stops halfway, times out', async () => {
  answer = () => undefined;
  const error = await failure(connect().listJobs({}, { timeoutMs: 100 }));
  expect(error.kind).toBe('network');
  expect(error.message).toContain('no answer within 0.1 s');

  answer = (_, response) => void response.writeHead(200).write('[');
  expect((await failure(connect({ timeoutMs: 100 }).listDeployments())).kind).toBe('network');
});

test('an abort ends the call with its own reason', async () => {
  const abort = new AbortController();
  answer = () => abort.abort(new Error('cancelled by the user'));
  await expect(connect().listJobs({}, { signal: abort.signal })).rejects.toThrow('cancelled by the user');
  await expect(connect().listJobs({}, { signal: abort.signal })).rejects.toThrow('cancelled by the user');
  expect(server.seen).toHaveLength(1);
});

test('a redirected write is refused, a redirected read is followed', async () => {
  answer = ({ url }, response) =>
    url.endsWith('/moved')
      ? sendJson(response, [])
      : (response.writeHead(302, { location: `${server.url}/moved` }).end() as unknown as void);
  const error = await failure(connect().createDeployment({ name: 'a', spec: {} }));
  expect(error).toMatchObject({ kind: 'invalid_response', status: 302 });
  expect(await connect().listDeployments()).toEqual([]);
});

/** Answers of gateways without a route. */
const wrong404s: readonly (readonly [string, string, string])[] = [
  ['a page', 'text/html', '<html>default backend - 404</html>'],
  ['nothing', 'text/plain', ''],
  ['JSON of its own', 'application/json', '{"message":"no Route matched with those values"}'],
];

describe('absence needs two answers', () => {
  const deployment = { metadata: { id: 'a', name: 'a' }, spec: {}, status: { state: 'Ready', endpoint: {} } };
  const job = { metadata: { id: 'a-1', name: 'a' }, spec: {}, status: { state: 'Running' } };
  const own404 = JSON.stringify({ code: 'ResourceNotFound', message: 'no such thing' });

  test.each([['the service', 'application/json', own404] as const, ...wrong404s])(
    'a 404 of %s for one resource: the listing decides',
    async (_, type, body) => {
      answer = ({ url }, response) => {
        const route = url.split('?')[0] ?? '';
        if (route.endsWith('/deployments')) return sendJson(response, [deployment]);
        if (route.endsWith('/jobs')) return sendJson(response, url.includes('page=1') ? { jobs: [job] } : { jobs: [] });
        return void response.writeHead(404, { 'content-type': type }).end(body);
      };
      expect(await connect().getDeployment('a')).toMatchObject({ status: { state: 'Ready' } });
      expect(await connect().getDeployment('b')).toBeUndefined();
      expect(await connect().getJob('a-1', { name: 'a' })).toMatchObject({ status: { state: 'Running' } });
      expect(await connect().getJob('b-1')).toBeUndefined();
      await connect().deleteDeployment('b');
      await connect().deleteJob('b-1');
    },
  );

  test.each([['the service', 'application/json', own404] as const, ...wrong404s])(
    'a 404 of %s for everything is an outage, not an empty workspace',
    async (_, type, body) => {
      answer = (_, response) => void response.writeHead(404, { 'content-type': type }).end(body);
      for (const ask of [
        connect().getDeployment('a'),
        connect().listDeployments(),
        connect().getJob('a-1'),
        connect().listJobs(),
        connect().storage.exists('default', '/runs/1'),
        connect().storage.list('default', '/runs/1'),
      ])
        expect(await failure(ask)).toMatchObject({ kind: 'invalid_response', status: 404 });
    },
  );

  test.each(wrong404s)(
    'a create to which %s answers 404 may still have succeeded: it is not a refusal',
    async (_, type, body) => {
      answer = (_, response) => void response.writeHead(404, { 'content-type': type }).end(body);
      const error = await failure(connect().createDeployment({ name: 'a', spec: {} }));
      expect(error.kind).toBe('invalid_response');
      expect(error.message).toContain('a proxy or gateway in front of it');
    },
  );
});

describe("storage: a HEAD with 404 is checked against the parent's listing", () => {
  /** Existing paths for which HEAD answers 404, and those for which GET does. */
  let denied: readonly string[];
  let unread: readonly string[];
  const tree: Readonly<Record<string, readonly object[]>> = {
    '/': [{ type: 'dir', name: 'runs' }],
    '/runs': [{ type: 'dir', name: '1' }],
    '/runs/1': [{ type: 'file', name: 'results.yml' }],
  };
  beforeEach(() => {
    denied = [];
    unread = [];
    answer = ({ url, method }, response) => {
      const at = url.replace(/^.*\/storage\/default/, '').replace(/(.)\/$/, '$1');
      const entries = tree[at];
      if (!entries || (method === 'HEAD' ? denied : unread).includes(at)) return void response.writeHead(404).end();
      return sendJson(response, entries);
    };
  });

  test('an existing folder is read', async () => {
    denied = ['/runs/1'];
    const { storage } = connect();
    expect(await storage.exists('default', '/runs/1')).toBe(true);
    expect(await storage.list('default', '/runs/1')).toEqual([expect.objectContaining({ name: 'results.yml' })]);
  });

  test('it does not exist, nor does any parent', async () => {
    const { storage } = connect();
    expect(await storage.exists('default', '/runs/2')).toBe(false);
    expect(await storage.exists('default', '/elsewhere/deep/down')).toBe(false);
    expect(await storage.list('default', '/runs/2')).toBeUndefined();
  });

  test('a 404 for a parent is no proof either', async () => {
    denied = ['/runs', '/runs/1'];
    const { storage } = connect();
    expect(await storage.exists('default', '/runs/1')).toBe(true);
    unread = ['/runs'];
    const error = await failure(storage.exists('default', '/runs/1'));
    expect(error).toMatchObject({ kind: 'invalid_response', message: expect.stringContaining('the folder exists') });
  });
});

test('a missing storage API is accepted after three checks, not after one', async () => {
  let wrong = 1;
  answer = (_, response) =>
    wrong-- > 0 ? void response.writeHead(404).end('<html>404</html>') : sendJson(response, []);
  expect(await connect().storage.available()).toBe(true);
  wrong = Infinity;
  const before = server.seen.length;
  expect(await connect().storage.available()).toBe(false);
  expect(server.seen).toHaveLength(before + 6);
});

test('the token is sent as bearer, no origin on this machine, base URLs with and without a slash', async () => {
  answer = (_, response) => sendJson(response, []);
  await connect().listDeployments();
  await connect({ slash: true }).listDeployments();
  await connect({ origin: 'https://dashboard.example' }).listDeployments();
  const calls = server.seen.filter(({ url }) => url.endsWith('/deployments'));
  expect(calls.map(({ url }) => url)).toEqual(Array(3).fill('/api/v2/workspaces/ws1/deployments'));
  expect(calls.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill('Bearer tok-0123456789'));
  expect(calls.map(({ headers }) => headers.origin)).toEqual([undefined, undefined, 'https://dashboard.example']);
});
