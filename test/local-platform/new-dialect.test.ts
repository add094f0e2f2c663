import { eventually, testPlatform, type TestPlatform } from './test-platform';

const plan = 'endpoints: { default: { states: [[Starting, 5s], [Ready]] } }';

let platform: TestPlatform;
beforeEach(async () => {
  platform = await testPlatform({ plan, dialect: 'new' });
});
afterEach(() => platform.dispose());

const component = {
  name: 'default',
  image: 'img:1',
  command: ['/bin/bash', '-c', 'x'],
  ports: [{ container_port: 40_000 }],
  resource_shape: 'cpu.small',
  min_replicas: 1,
  autoscaling: { scale_down: { no_traffic_timeout: 3600 } },
  envs: [{ name: 'A', value: '1' }],
};
const endpoint = {
  metadata: { name: 'ep1', lepton_metadata: { visibility: 'private' } },
  spec: { components: [component], image_pull_secrets: [], access_config: { ip_allowlist: ['10.0.0.0/8'] } },
};

test('the feature flag is on, and an endpoint is the same in both dialects', async () => {
  expect((await platform.json('GET', '/workspace')).features).toEqual({ enable_new_deployment_api: true });
  const created = await platform.json('POST', '/endpoints', endpoint);
  expect(created).toMatchObject({ ...endpoint, status: { state: 'Starting' } });
  await eventually(async () => (await platform.json('GET', '/endpoints/ep1')).status.state === 'Ready');
  const [listed] = await platform.json('GET', '/endpoints');
  expect(listed.status).toMatchObject({ external_url: expect.stringMatching(/^http:/), ready_replicas: 1 });
  const classic = await platform.json('GET', '/deployments/ep1');
  expect(classic.spec).toEqual({
    container: { image: 'img:1', command: component.command, ports: component.ports },
    resource_requirement: { resource_shape: 'cpu.small', min_replicas: 1 },
    auto_scaler: component.autoscaling,
    envs: component.envs,
    image_pull_secrets: [],
    auth_config: endpoint.spec.access_config,
  });
  expect(await platform.json('GET', '/endpoints/ep1/replicas')).toHaveLength(1);
  expect((await platform.call('GET', '/endpoints/ep1/readiness')).status).toBe(404);
  await platform.json('DELETE', '/endpoints/ep1');
  await eventually(async () => (await platform.call('GET', '/endpoints/ep1')).status === 404);
});

test('a patch replaces the whole component', async () => {
  await platform.json('POST', '/endpoints', {
    ...endpoint,
    spec: { components: [{ ...component, max_replicas: 2, mounts: [], unknown_key: 7 }] },
  });
  expect((await platform.json('GET', '/endpoints/ep1')).spec.components[0]).toMatchObject({ unknown_key: 7 });
  const bare = Object.fromEntries(Object.entries(component).filter(([key]) => key !== 'envs'));
  const patched = await platform.json('PATCH', '/endpoints/ep1', {
    metadata: {},
    spec: { components: [{ ...bare, image: 'img:2' }] },
  });
  expect(patched.spec.components).toEqual([{ ...bare, image: 'img:2' }]);
  const stopped = await platform.json('PATCH', '/endpoints/ep1', {
    spec: { components: [{ ...bare, min_replicas: 0 }] },
  });
  expect(stopped.status.state).toBe('Stopped');
});

test('specs with several components or none are refused', async () => {
  for (const components of [[], [component, { ...component, name: 'two' }], undefined]) {
    const response = await platform.call('POST', '/endpoints', { metadata: { name: 'ep1' }, spec: { components } });
    expect(response.status).toBe(400);
  }
});

test('the classic platform has no /endpoints', async () => {
  const classic = await testPlatform();
  try {
    expect((await classic.call('GET', '/endpoints')).status).toBe(404);
  } finally {
    await classic.dispose();
  }
});
