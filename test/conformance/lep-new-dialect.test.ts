import { eventually, stateOf, testPlatform, type TestPlatform } from '../local-platform/test-platform';
import { createArguments, lepFor, lepPlan, logWasAskedFor, type Lep, type LepVersion } from './lep';

/** The clients with `features.enable_new_deployment_api`, which only 0.47.1 knows. */

jest.setTimeout(300_000);

let platform: TestPlatform;
afterEach(() => platform.dispose());

const setUp = async (version: LepVersion): Promise<Lep> => {
  platform = await testPlatform({ plan: lepPlan, dialect: 'new', workspace: 'ws1' });
  return lepFor(version, platform);
};

test('leptonai 0.47.1, new dialect: an endpoint from creation to deletion', async () => {
  const lep = await setUp('0.47.1');
  const [group] = await platform.json('GET', '/dedicated-node-groups');
  const created = await lep('endpoint', 'create', ...createArguments('ep1', group.metadata.name));
  expect([created.code, created.requests]).toEqual([
    0,
    ['GET /workspace', 'GET /endpoints', 'GET /dedicated-node-groups', 'POST /endpoints'],
  ]);
  expect((await platform.json('GET', '/deployments/ep1')).spec).toMatchObject({
    container: { image: 'img:1', command: ['/bin/bash', '-c', 'vllm serve m'] },
    resource_requirement: { resource_shape: 'gpu.h100-sxm', min_replicas: 1, max_replicas: 2 },
  });
  await eventually(async () => (await stateOf(platform, 'ep1')) === 'Ready');
  expect((await lep('endpoint', 'list')).text).toMatch(/ep1 .*Ready/);
  const got = await lep('endpoint', 'get', '-n', 'ep1');
  expect([got.code, got.requests]).toEqual([0, ['GET /workspace', 'GET /endpoints/ep1']]);
  expect(JSON.parse(got.stdout).status).toMatchObject({ state: 'Ready', ready_replicas: 1 });
  expect((await lep('endpoint', 'status', '-n', 'ep1')).code).toBe(0);
  const events = await lep('endpoint', 'events', '-n', 'ep1');
  expect([events.code, events.requests]).toEqual([0, ['GET /workspace', 'GET /endpoints/ep1/events']]);
  const update = await lep('endpoint', 'update', '-n', 'ep1', '--min-replicas', '2');
  expect([update.code, update.requests]).toEqual([
    0,
    ['GET /workspace', 'GET /endpoints/ep1', 'GET /endpoints/ep1', 'PATCH /endpoints/ep1'],
  ]);
  expect((await platform.json('GET', '/deployments/ep1')).spec).toMatchObject({
    container: { image: 'img:1', ports: [{ container_port: 8000 }] },
    resource_requirement: { min_replicas: 2, max_replicas: 2 },
    envs: [{ name: 'A', value: '1' }, { name: 'HF' }],
  });
  expect((await lep('endpoint', 'restart', '-n', 'ep1')).requests).toEqual([
    'GET /workspace',
    'PUT /endpoints/ep1/restart',
  ]);
  const following = lep('endpoint', 'log', '-n', 'ep1');
  await logWasAskedFor(platform);
  const stop = await lep('endpoint', 'stop', '-n', 'ep1');
  expect(stop.code).toBe(0);
  expect((await following).text).toMatch(/ep1 Starting .*End of log/);
  expect((await platform.json('GET', '/endpoints/ep1')).status.state).toBe('Stopped');
  expect((await lep('endpoint', 'remove', '-n', 'ep1')).code).toBe(0);
  expect((await lep('endpoint', 'get', '-n', 'ep1')).code).toBe(1);
  await eventually(async () => (await platform.sim('/inventory')).deployments.length === 0);
});

test('leptonai 0.27.3 still uses the classic dialect', async () => {
  const lep = await setUp('0.27.3');
  expect(
    (await lep('endpoint', 'create', '-n', 'ep1', '--container-image', 'i', '--container-command', 'x')).code,
  ).toBe(0);
  const listed = await lep('endpoint', 'list');
  expect([listed.code, listed.requests]).toEqual([0, ['GET /deployments']]);
  expect(listed.text).toContain('ep1');
});

test.each(['classic', 'new'] as const)(
  'leptonai 0.47.1, secure endpoint defaults, dialect %s: `lep endpoint create` shows the only copy of the token',
  async (dialect) => {
    platform = await testPlatform({ plan: lepPlan, dialect, workspace: 'ws1', secureEndpoints: true });
    const lep = await lepFor('0.47.1', platform);
    const create = (name: string, ...more: string[]) =>
      lep(
        'endpoint',
        'create',
        '-n',
        name,
        '--container-image',
        'img:1',
        '--container-command',
        'vllm serve m',
        ...more,
      );
    const created = await create('ep1');
    expect(created.code).toBe(0);
    await eventually(async () => (await stateOf(platform, 'ep1')) === 'Ready');
    const { status } = await platform.json('GET', '/deployments/ep1');
    const statusWith = async (token: string): Promise<number> =>
      (await fetch(`${status.endpoint.external_endpoint}/v1/models`, { headers: { authorization: `Bearer ${token}` } }))
        .status;
    const words = created.text.split(/[^A-Za-z0-9_-]+/).filter((word) => word.length === 43);
    expect(await Promise.all(['none', ...words].map(statusWith))).toEqual([401, 200]);
    expect((await lep('endpoint', 'get', '-n', 'ep1')).text).not.toContain(words[0]);
    expect((await create('ep2', '--tokens', 'own-token')).code).toBe(0);
    expect((await platform.json('GET', '/deployments/ep2')).spec.api_tokens).toEqual([{ value: 'own-token' }]);
  },
);
