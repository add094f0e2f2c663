import { deployment, eventually, job, testPlatform, type TestPlatform } from './test-platform';

let platform: TestPlatform;
afterEach(() => platform.dispose());

const start = async (faults: string) => (platform = await testPlatform({ plan: `faults:\n${faults}` }));
const post = (name: string) => platform.call('POST', '/deployments', deployment(name));
const names = async (): Promise<string[]> => (await platform.sim('/inventory')).deployments;

test('a status is returned as often as planned, and the request has no effect', async () => {
  await start("- { on: 'POST /deployments', times: 2, respond: 503 }");
  expect((await post('a')).status).toBe(503);
  expect((await post('a')).status).toBe(503);
  expect(await names()).toEqual([]);
  expect((await post('a')).status).toBe(201);
});

test('drop cuts the connection; with apply the request takes effect', async () => {
  await start(`
- { on: 'POST /deployments', name: '*hella*', times: 1, respond: drop, apply: true }
- { on: 'POST /deployments', name: '*arc*', respond: drop }`);
  await expect(post('ep-hella-0')).rejects.toThrow('fetch failed');
  await expect(post('ep-arc-1')).rejects.toThrow('fetch failed');
  expect(await names()).toEqual(['ep-hella-0']);
  expect((await post('ep-hella-0')).status).toBe(409);
  const requests = await platform.sim('/requests');
  expect(requests).toEqual([
    { at: expect.stringMatching(/^\d{4}-.*Z$/), method: 'POST', path: '/deployments', status: 0 },
    { at: expect.any(String), method: 'POST', path: '/deployments', status: 0 },
    { at: expect.any(String), method: 'POST', path: '/deployments', status: 409 },
  ]);
});

test('inf never ends; * in a path glob matches one part of the path', async () => {
  await start("- { on: 'DELETE /deployments/*', times: inf, respond: 403 }");
  await post('a');
  for (let round = 0; round < 3; round++) expect((await platform.call('DELETE', '/deployments/a')).status).toBe(403);
  expect((await platform.call('GET', '/deployments/a')).status).toBe(200);
  expect(await names()).toEqual(['a']);
});

test('a delay alone only delays', async () => {
  await start("- { on: 'GET /deployments', delay: 20s, times: 1 }");
  const begin = Date.now();
  expect((await platform.call('GET', '/deployments?x=1')).status).toBe(200);
  expect(Date.now() - begin).toBeGreaterThanOrEqual(19_990);
  expect((await platform.sim('/requests'))[0]).toMatchObject({ path: '/deployments?x=1', status: 200 });
  const again = Date.now();
  await platform.call('GET', '/deployments');
  expect(Date.now() - again).toBeLessThan(15_000);
});

test('each fault counts its own uses, and the first that is left fires', async () => {
  await start(`
- { on: 'GET /deployments', times: 1, respond: 500 }
- { on: 'GET /**', times: 1, respond: 429, retry_after: 7 }
- { on: '* /deployments', respond: 200, body: '<html>' }`);
  const seen = [];
  for (let round = 0; round < 4; round++) {
    const response = await platform.call('GET', '/deployments');
    seen.push([response.status, response.headers.get('retry-after'), await response.text()]);
  }
  expect(seen).toEqual([
    [500, null, expect.stringContaining('"code":"SimulatedFault"')],
    [429, '7', expect.any(String)],
    [200, null, '<html>'],
    [200, null, '[]'],
  ]);
});

test('a fault’s name matches a job’s id or name, in the body and in the path', async () => {
  await start(`
- { on: 'POST /jobs', name: 'one', respond: 500, apply: true, body: { odd: true } }
- { on: 'DELETE /jobs/*', name: 'two', respond: 502, times: inf }`);
  const lost = await platform.call('POST', '/jobs', job('one'));
  expect([lost.status, await lost.json()]).toEqual([500, { odd: true }]);
  const two = await platform.json('POST', '/jobs', { metadata: { name: 'two' }, spec: {} });
  expect((await platform.call('DELETE', `/jobs/${two.metadata.id}`)).status).toBe(502);
  const [one] = (await platform.json('GET', '/jobs?q=one')).jobs;
  expect((await platform.call('DELETE', `/jobs/${one.metadata.id}`)).status).toBe(200);
  await eventually(async () => (await platform.sim('/inventory')).jobs.length === 1);
});

test('faults apply after the token is checked, and can be replaced at run time', async () => {
  await start("- { on: 'GET /**', respond: 500, times: inf }");
  expect((await fetch(`${platform.url}/deployments`)).status).toBe(401);
  expect((await platform.call('GET', '/deployments')).status).toBe(500);
  const plan = (body: unknown) =>
    fetch(`http://127.0.0.1:${platform.port}/__sim/plan`, {
      method: 'POST',
      headers: { authorization: `Bearer ${platform.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect((await plan({ faults: [{ on: 'GET', respond: 500 }] })).status).toBe(400);
  expect((await plan({ faults: [{ on: 'GET /jobs', respond: 418 }] })).status).toBe(200);
  expect((await platform.call('GET', '/deployments')).status).toBe(200);
  expect((await platform.call('GET', '/jobs')).status).toBe(418);
});

test('faults apply to storage paths', async () => {
  await start("- { on: 'DELETE /storage/**', name: 'run1', respond: 503 }");
  await platform.json('PUT', '/storage/default/evals/run1');
  expect((await platform.call('DELETE', '/storage/default/evals/run1?removeall=true')).status).toBe(503);
  expect((await platform.call('DELETE', '/storage/default/evals/run1?removeall=true')).status).toBe(200);
});
