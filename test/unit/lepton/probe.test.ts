import { serverUrls, probeModel, type ProbeRequest } from '../../../src/lepton/probe';
import { sendJson, startServer, type SeenRequest, type TestServer } from '../../support/http-server';
import { against, dedicated, deploying, plan } from '../config/configs';

/** Starts a server with these answers, by method and path. */
type Answers = Readonly<Record<string, readonly [status: number, body: unknown]>>;

let server: TestServer;
afterEach(() => server.close());

async function serve(answers: Answers, allowed: (request: SeenRequest) => boolean = () => true): Promise<void> {
  server = await startServer((request, response) => {
    if (!allowed(request)) return sendJson(response, { error: 'key?' }, 401);
    const [status, body] = answers[`${request.method} ${request.url}`] ?? [404, { detail: 'Not Found' }];
    sendJson(response, body, status);
  });
}

const probe = { servedModel: 'org/model', healthPath: null, warmUp: 'completions', token: null } as const;
const listing = { data: [{ id: 'org/model' }] };

const ask = (change: Partial<Omit<ProbeRequest, 'probe'>> & { probe?: Partial<ProbeRequest['probe']> } = {}) =>
  probeModel({
    url: server.url,
    kind: 'dedicated',
    key: null,
    signal: AbortSignal.timeout(20_000),
    ...change,
    probe: { ...probe, ...change.probe },
  });
const asked = () => server.seen.map(({ method, url }) => `${method} ${url}`);

describe('an endpoint of the run', () => {
  test('is Ready after the health check, the list of models and one tiny request', async () => {
    await serve({
      'GET /health': [200, {}],
      'GET /v1/models': [200, listing],
      'POST /v1/completions': [200, { choices: [] }],
    });
    expect(await ask({ probe: { healthPath: '/health' } })).toEqual({ kind: 'ready' });
    expect(asked()).toEqual(['GET /health', 'GET /v1/models', 'POST /v1/completions']);
    expect(JSON.parse(server.seen[2]?.body ?? '')).toEqual({ model: 'org/model', max_tokens: 1, prompt: 'Hi' });
  });

  test('is not Ready while its health path answers 503, even if it lists models', async () => {
    await serve({ 'GET /health': [503, {}], 'GET /v1/models': [200, listing] });
    expect(await ask({ probe: { healthPath: '/health' } })).toEqual({
      kind: 'not yet',
      message: '/health answers 503',
    });
  });

  test('a health path may take 3 s', async () => {
    server = await startServer((request, response) => {
      setTimeout(() => sendJson(response, listing), request.url === '/health' ? 3_000 : 0);
    });
    expect(await ask({ probe: { healthPath: '/health' } })).toEqual({ kind: 'ready' });
  });

  test('a missing health path is no obstacle', async () => {
    await serve({ 'GET /v1/models': [200, listing], 'POST /v1/completions': [200, {}] });
    expect(await ask({ probe: { healthPath: '/v1/health/ready' } })).toEqual({ kind: 'ready' });
  });

  test('503 and 404 just after Ready, and no connection at all, are "not yet"', async () => {
    await serve({ 'GET /v1/models': [503, {}] });
    expect(await ask()).toEqual({ kind: 'not yet', message: '/v1/models answers 503' });
    await server.close();
    expect(await ask()).toMatchObject({ kind: 'not yet', message: '/v1/models does not answer (connection refused)' });
    await serve({});
    expect(await ask()).toEqual({ kind: 'not yet', message: '/v1/models answers 404' });
  });

  test('a wrong model name is a mismatch that gives both names', async () => {
    await serve({ 'GET /v1/models': [200, { data: [{ id: '/mnt/model' }, { id: 'alias' }] }] });
    const verdict = await ask();
    expect(verdict).toMatchObject({ kind: 'mismatch' });
    expect(verdict).toMatchObject({
      message: expect.stringMatching(/serves "\/mnt\/model", "alias", but the run requests "org\/model"/),
    });
  });

  test('a rejected warm-up is an answer; a server error is not', async () => {
    await serve({ 'GET /v1/models': [200, listing], 'POST /v1/completions': [400, { message: 'no' }] });
    expect(await ask()).toEqual({ kind: 'ready' });
    await server.close();
    await serve({ 'GET /v1/models': [200, listing], 'POST /v1/completions': [500, {}] });
    expect(await ask()).toEqual({ kind: 'not yet', message: '/v1/completions answers 500' });
  });
});

describe('a healthy server with a slow first completion', () => {
  const start = (onCompletion: (answer: () => void) => void) =>
    startServer(({ method }, response) => {
      if (method === 'POST') onCompletion(() => sendJson(response, {}));
      else sendJson(response, listing);
    });
  const slow = { probe: { healthPath: '/health' } } as const;

  test('the probe waits for it, and reports meanwhile that it is slow', async () => {
    const messages: string[] = [];
    // The server answers after the report, even if that is made before the request has arrived.
    let report = (): void => undefined;
    const reported = new Promise<void>((resolve) => (report = resolve));
    server = await start((answer) => void reported.then(answer));
    const onSlow = (message: string) => (messages.push(message), report());
    expect(await ask({ ...slow, slowAfterMs: 20, onSlow })).toEqual({ kind: 'ready' });
    expect(messages).toEqual([expect.stringContaining('/v1/completions does not answer')]);
  });

  test('a probe that times out is "not yet", never a failure; the one that is answered is Ready', async () => {
    let isAnswering = false;
    server = await start((answer) => (isAnswering ? answer() : undefined));
    const verdicts = [await ask({ ...slow, warmUpTimeoutMs: 50 }), await ask({ ...slow, warmUpTimeoutMs: 50 })];
    isAnswering = true;
    verdicts.push(await ask(slow));
    expect(verdicts.map(({ kind }) => kind)).toEqual(['not yet', 'not yet', 'ready']);
  });
});

describe('each type of deployment has its health path', () => {
  const served = 'served_model_name: org/model';
  const ofModel = `{hf_model_handle: org/model, ${served}}`;
  const rest = { 'GET /v1/models': [200, listing], 'POST /v1/chat/completions': [200, {}] } as const;

  test.each([
    ['vllm', ofModel, '/health'],
    ['sglang', ofModel, '/health'],
    ['trtllm', ofModel, '/health'],
    ['nim', `{image: nvcr.io/nim/org/model:1, ${served}}`, '/v1/health/ready'],
    ['generic', `{image: org/server:1, command: serve, ${served}}`, '/health'],
    ['generic', `{image: org/server:1, command: serve, ${served}, endpoints: {health: /up}}`, '/up'],
  ])('%s', async (type, body, healthPath) => {
    const { probe: planned } = await dedicated(deploying(type, body));
    await serve({ ...rest, [`GET ${healthPath}`]: [200, {}] });
    expect(await ask({ probe: planned })).toEqual({ kind: 'ready' });
    expect(asked()).toEqual([`GET ${healthPath}`, 'GET /v1/models', 'POST /v1/chat/completions']);
    await server.close();
    await serve({ ...rest, [`GET ${healthPath}`]: [503, {}] });
    expect(await ask({ probe: planned })).toEqual({ kind: 'not yet', message: `${healthPath} answers 503` });
  });

  test('without a health path, the list of models and a request decide', async () => {
    const { probe: planned } = await dedicated(
      deploying('vllm', `{hf_model_handle: org/model, ${served}, endpoints: {health: null}}`),
    );
    await serve(rest);
    expect(await ask({ probe: planned })).toEqual({ kind: 'ready' });
    const { plan: existing } = await plan(against(`{url: "${server.url}", model_id: org/model}`));
    if (existing.endpoint.kind !== 'existing') throw new Error('expected an existing endpoint');
    const { probe: ofExisting, url } = existing.endpoint;
    expect(await ask({ kind: 'existing', url, probe: { ...ofExisting, warmUp: 'chat' } })).toEqual({ kind: 'ready' });
    const questions = ['GET /v1/models', 'POST /v1/chat/completions'];
    expect(asked()).toEqual([...questions, ...questions]);
  });
});

describe('keys', () => {
  const answers: Answers = { 'GET /v1/models': [200, listing], 'POST /v1/completions': [200, {}] };
  const withKey = ({ headers }: SeenRequest) => headers.authorization === 'Bearer right';
  const token = { kind: 'host', name: 'KEY' } as const;

  test('the key is sent with every request', async () => {
    await serve(answers, withKey);
    expect(await ask({ key: 'right', probe: { token } })).toEqual({ kind: 'ready' });
  });

  test.each([
    ['dedicated', 'api_tokens'],
    ['existing', 'api_key_name'],
  ] as const)('a refused key of a %s endpoint is told at once', async (kind, hint) => {
    await serve(answers, withKey);
    const verdict = await ask({ kind, key: 'wrong', probe: { token } });
    expect(verdict).toMatchObject({ kind: 'mismatch', message: expect.stringContaining('rejects the key (401)') });
    expect(verdict).toMatchObject({ message: expect.stringContaining(hint) });
    expect(JSON.stringify(verdict)).not.toContain('wrong');
  });

  test('with a secret of the workspace, which cannot be read here, a 401 means up and protected', async () => {
    await serve(answers, withKey);
    expect(await ask({ probe: { token: { kind: 'workspace', name: 'KEY' } } })).toEqual({ kind: 'ready' });
  });

  test('a run without a key is a mismatch if the endpoint requires one', async () => {
    await serve(answers, withKey);
    expect(await ask({ kind: 'existing' })).toMatchObject({
      kind: 'mismatch',
      message: expect.stringMatching(/requires a key \(401\).*api_key_name/),
    });
  });
});

describe('an existing endpoint', () => {
  test("that cannot list models is Ready if it answers a request at the jobs' URL", async () => {
    await serve({ 'POST /serve/v1/completions?api-version=2': [200, {}] });
    const url = `${server.url}/serve/v1/completions?api-version=2`;
    expect(await ask({ kind: 'existing', url })).toEqual({ kind: 'ready' });
    expect(asked()).toEqual(['GET /serve/v1/models?api-version=2', 'POST /serve/v1/completions?api-version=2']);
  });

  test('with the URL of another kind of request gets the warm-up at the sibling path', async () => {
    await serve({ 'POST /v2/completions': [200, {}] });
    expect(await ask({ kind: 'existing', url: `${server.url}/v2/chat/completions` })).toEqual({ kind: 'ready' });
    expect(asked()).toEqual(['GET /v2/models', 'POST /v2/completions']);
  });

  test('with neither the list nor the path is a mismatch that quotes its answer', async () => {
    await serve({ 'POST /v1/completions': [404, { message: 'no model org/model' }] });
    expect(await ask({ kind: 'existing', url: `${server.url}/v1/completions` })).toMatchObject({
      kind: 'mismatch',
      doubt: 'model unknown',
      message: expect.stringMatching(/answers 404 \(.*no model org\/model.*model_id/),
    });
  });

  test('with a 404 that does not name the model may have lost its route', async () => {
    await serve({ 'POST /v1/completions': [404, { message: 'no Route matched with those values' }] });
    expect(await ask({ kind: 'existing', url: `${server.url}/v1/completions` })).toMatchObject({ doubt: 'no route' });
  });

  test('that cannot list models and rejects plain requests is Ready', async () => {
    await serve({});
    const url = `${server.url}/v1/embeddings`;
    expect(await ask({ kind: 'existing', url, probe: { warmUp: 'none' } })).toEqual({ kind: 'ready' });
  });

  test('that lists other models is a mismatch; an empty or unusual list is ignored', async () => {
    const url = () => `${server.url}/v1/completions`;
    await serve({ 'GET /v1/models': [200, { data: [{ id: 'other' }] }] });
    expect(await ask({ kind: 'existing', url: url() })).toMatchObject({ kind: 'mismatch' });
    await server.close();
    await serve({ 'GET /v1/models': [200, { models: [] }], 'POST /v1/completions': [200, {}] });
    expect(await ask({ kind: 'existing', url: url() })).toEqual({ kind: 'ready' });
  });

  test('that is down or answers 5xx is not Ready yet', async () => {
    await serve({ 'GET /v1/models': [502, {}] });
    expect(await ask({ kind: 'existing', url: `${server.url}/v1/completions` })).toMatchObject({ kind: 'not yet' });
  });
});

test.each([
  ['http://h:80/', 'http://h', 'http://h/v1/models', undefined],
  ['https://h/v1/chat/completions', 'https://h', 'https://h/v1/models', '/chat/completions'],
  ['https://h/a/v1/completions/?x=1', 'https://h/a', 'https://h/a/v1/models?x=1', '/completions'],
  ['https://h/v2/embeddings', 'https://h/v2/embeddings', 'https://h/v2/models', '/embeddings'],
])('places of %s', async (url, root, models, takes) => {
  await serve({});
  expect(serverUrls(url)).toEqual({ root, models, takes });
});
