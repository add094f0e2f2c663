import { readFileSync, statSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { deployment, job, testPlatform, type TestPlatform } from './test-platform';

let platform: TestPlatform;
beforeEach(async () => {
  platform = await testPlatform();
});
afterEach(() => platform.dispose());

/** Returns the status of a request with exactly these headers. */
const statusFor = (headers: Record<string, string>, at = '/deployments'): Promise<number> =>
  new Promise((resolve, reject) => {
    const path = at.startsWith('/healthz') ? at : `/api/v2/workspaces/local${at}`;
    request({ host: '127.0.0.1', port: platform.port, path, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });

test('only /healthz is answered without the token', async () => {
  const own = { authorization: `Bearer ${platform.token}` };
  expect(await statusFor(own)).toBe(200);
  expect(await statusFor({})).toBe(401);
  expect(await statusFor({ authorization: 'Bearer wrong' })).toBe(401);
  expect(await statusFor({ authorization: platform.token })).toBe(401);
  expect(await statusFor({}, '/storage/default/')).toBe(401);
  expect(await statusFor({}, '/healthz')).toBe(200);
  const health = await fetch(`http://127.0.0.1:${platform.port}/healthz`);
  expect(await health.json()).toEqual({ ok: true });
  expect((await fetch(`http://127.0.0.1:${platform.port}/__sim/inventory`)).status).toBe(401);
  const refused = await fetch(`${platform.url}/workspace`);
  expect(await refused.json()).toMatchObject({ code: 'StatusUnauthorized' });
});

test('a foreign Host or Origin is refused, with or without the token', async () => {
  const own = { authorization: `Bearer ${platform.token}` };
  expect(await statusFor({ ...own, host: 'evil.example' })).toBe(403);
  expect(await statusFor({ ...own, host: `evil.example:${platform.port}` })).toBe(403);
  expect(await statusFor({ ...own, host: '127.0.0.1:1' })).toBe(403);
  expect(await statusFor({ host: 'evil.example' }, '/healthz')).toBe(403);
  expect(await statusFor({ ...own, host: `localhost:${platform.port}` })).toBe(200);
  expect(await statusFor({ ...own, origin: 'http://evil.example' })).toBe(403);
  expect(await statusFor({ ...own, origin: 'null' })).toBe(403);
  expect(await statusFor({ ...own, origin: `http://127.0.0.1:${platform.port}` })).toBe(200);
});

test('access.json says how to reach the platform, and only its owner can read it', () => {
  const file = path.join(platform.stateFolder, 'access.json');
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
    url: platform.url,
    workspace: 'local',
    token: platform.token,
  });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(platform.stateFolder).mode & 0o777).toBe(0o700);
  expect(Buffer.from(platform.token, 'base64url')).toHaveLength(32);
  expect(platform.url).toBe(`http://127.0.0.1:${platform.port}/api/v2/workspaces/local`);
});

test('the workspace has the fields that both client versions require', async () => {
  await platform.json('POST', '/deployments', deployment('ep1'));
  await platform.json('POST', '/deployments', deployment('pod1', { is_pod: true }));
  await platform.json('POST', '/jobs', job('j1'));
  const info = await platform.json('GET', '/workspace');
  expect(info).toMatchObject({
    workspace_name: 'local',
    workspace_state: 'normal',
    workloads: { num_deployments: 1, num_pods: 1, num_jobs: 1, num_secrets: 0, num_photons: 0 },
    service_quota: { limit: { kv_store_num: 0, queue_num: 0 } },
  });
  expect(info.features).toBeUndefined();
  for (const shape of ['cpu.small', 'gpu.a10', 'gpu.1xh200', 'gpu.8xh200', 'gpu.h100-sxm']) {
    expect(info.supported_shapes).toHaveProperty([shape]);
  }
  const shapes = await platform.json('GET', '/shapes?purpose=job');
  expect(shapes.find((shape: { metadata: { id: string } }) => shape.metadata.id === 'gpu.8xh200').spec).toMatchObject({
    accelerator_num: 8,
    accelerator_type: 'NVIDIA-H200',
  });
  expect((await platform.json('GET', '')).display_name).toContain('local');
  const [token] = await platform.json('GET', '/tokens');
  const [begin, end] = token.masked_value.split('...');
  expect(platform.token.startsWith(begin) && platform.token.endsWith(end)).toBe(true);
  expect(token.expires_at).toBeGreaterThan(Date.now() + 365 * 24 * 3_600_000);
});

test('another workspace is not served', async () => {
  const other = await fetch(platform.url.replace('/local', '/other') + '/deployments', {
    headers: { authorization: `Bearer ${platform.token}` },
  });
  expect(other.status).toBe(404);
});

test('secrets are created all or none, listed without their values, and deleted', async () => {
  const secret = { name: 'MYKEY', value: 's3cr3t', visibility: 'private' };
  await platform.json('POST', '/usersecrets', [secret]);
  const listing = await (await platform.call('GET', '/usersecrets')).text();
  expect(JSON.parse(listing)).toEqual([{ name: 'MYKEY', visibility: 'private', tags: [] }]);
  expect(listing).not.toContain('s3cr3t');
  expect((await platform.call('POST', '/usersecrets', [{ name: 'NEW', value: 'x' }, secret])).status).toBe(409);
  expect((await platform.call('POST', '/usersecrets', secret)).status).toBe(400);
  expect((await platform.call('POST', '/usersecrets', [{ name: '1X', value: 'x' }])).status).toBe(400);
  expect((await platform.call('POST', '/usersecrets', [{ name: 'NEW' }])).status).toBe(400);
  expect(await platform.json('GET', '/usersecrets')).toHaveLength(1);
  await platform.json('DELETE', '/usersecrets/MYKEY');
  expect(await platform.json('GET', '/usersecrets')).toEqual([]);
  expect((await platform.call('DELETE', '/usersecrets/MYKEY')).status).toBe(404);
});

test('there is one node group with one node, and its name differs from its id', async () => {
  const [group] = await platform.json('GET', '/dedicated-node-groups');
  expect(group.metadata.name).not.toBe(group.metadata.id);
  expect(group.status).toMatchObject({ ready_nodes: 1, quota_enabled: true });
  expect(await platform.json('GET', `/dedicated-node-groups/${group.metadata.id}`)).toEqual(group);
  const nodes = await platform.json('GET', `/dedicated-node-groups/${group.metadata.id}/nodes`);
  expect(nodes).toMatchObject([{ spec: { unschedulable: false, dedicated_node_group: group.metadata.id } }]);
  expect((await platform.call('GET', '/dedicated-node-groups/nope/nodes')).status).toBe(404);
});

test('bodies that are not JSON objects, or too large, are refused', async () => {
  const headers = { authorization: `Bearer ${platform.token}`, 'content-type': 'application/json' };
  const post = (body: string) => fetch(`${platform.url}/deployments`, { method: 'POST', headers, body });
  expect((await post('not json')).status).toBe(400);
  expect((await post('[]')).status).toBe(400);
  expect((await post('')).status).toBe(400);
  const large = await post(JSON.stringify({ filler: 'x'.repeat(17 * 1024 * 1024) }));
  expect(large.status).toBe(413);
});

test('logs of the platform contain no secrets', async () => {
  const lines: string[] = [];
  const logged = await testPlatform({
    log: (message, fields) => lines.push(message + JSON.stringify(fields ?? {})),
  });
  try {
    await logged.json('POST', '/usersecrets', [{ name: 'K', value: 'hidden-1' }]);
    const spec = { envs: [{ name: 'A', value: 'hidden-2' }], api_tokens: [{ value: 'hidden-3' }] };
    await logged.json('POST', '/deployments', deployment('ep1', spec));
    await logged.call('POST', '/deployments', deployment('ep1', spec));
    expect(lines.join('\n')).not.toMatch(/hidden-/);
    expect(lines.join('\n')).not.toContain(logged.token);
  } finally {
    await logged.dispose();
  }
});
