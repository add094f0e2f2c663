import { deployment, eventually, quickPlan, stateOf, testPlatform, type TestPlatform } from './test-platform';

/** A workspace with secure endpoint defaults: endpoints that are created without tokens are protected all the same. */

let platform: TestPlatform;
afterEach(() => platform.dispose());

const setFlag = async (on: boolean): Promise<number> => {
  const answer = await fetch(`${new URL(platform.url).origin}/__sim/workspace`, {
    method: 'POST',
    headers: { authorization: `Bearer ${platform.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ secure_endpoint_defaults: on }),
  });
  return answer.status;
};

const createReady = async (name: string, spec: Record<string, unknown> = {}) => {
  const created = await platform.json('POST', '/deployments', deployment(name, spec));
  await eventually(async () => (await stateOf(platform, name)) === 'Ready', `${name} Ready`);
  const { status } = await platform.json('GET', `/deployments/${name}`);
  return { created, url: status.endpoint.external_endpoint as string };
};

const statusOf = async (url: string, token?: string): Promise<number> =>
  (await fetch(`${url}/v1/models`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }))
    .status;

test('only the answer to the create has the generated token, which survives a patch and a restart of the platform', async () => {
  platform = await testPlatform({ plan: quickPlan, secureEndpoints: true });
  const { features } = await platform.json('GET', '/workspace');
  expect(features).toEqual({ enable_secure_endpoint_defaults: true });
  const { created, url } = await createReady('ep1');
  const [{ value: token }] = created.spec.api_tokens;
  expect(await Promise.all([statusOf(url), statusOf(url, '***'), statusOf(url, token)])).toEqual([401, 401, 200]);
  const read = await platform.json('GET', '/deployments/ep1');
  const listed = await platform.json('GET', '/deployments');
  const patched = await platform.json('PATCH', '/deployments/ep1', { spec: { ...read.spec, envs: [] } });
  await eventually(async () => (await platform.json('GET', '/deployments/ep1/events')).length > 1, 'events');
  expect(JSON.stringify([read, listed, patched])).not.toContain(token);
  platform = await platform.restarted();
  expect(await statusOf(url, token)).toBe(200);
});

test('own tokens and the wish for an open endpoint are respected; the flag can change at any time', async () => {
  platform = await testPlatform({ plan: quickPlan, secureEndpoints: true });
  const own = await createReady('own', { api_tokens: [{ value: 'mine' }] });
  expect(own.created.spec.api_tokens).toEqual([{ value: 'mine' }]);
  expect(await statusOf(own.url, 'mine')).toBe(200);
  const open = await createReady('open', { allow_unauthenticated_access: true });
  expect(await statusOf(open.url)).toBe(200);
  expect(await setFlag(false)).toBe(200);
  expect(await platform.json('GET', '/workspace')).not.toHaveProperty('features');
  const plain = await createReady('plain');
  expect(await statusOf(plain.url)).toBe(200);
  const { spec } = await platform.json('PATCH', '/deployments/plain', { spec: { api_tokens: [{ value: 'later' }] } });
  expect(spec.api_tokens).toEqual([{ value: 'later' }]);
});
