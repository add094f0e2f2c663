import { deployment, eventually, quickPlan, stateOf, testPlatform, type TestPlatform } from './harness';

let platform: TestPlatform;
beforeEach(async () => {
  platform = await testPlatform({ plan: quickPlan });
});
afterEach(() => platform.dispose());

const ready = (name: string) => eventually(async () => (await stateOf(platform, name)) === 'Ready', `${name} Ready`);
const gone = (name: string) =>
  eventually(async () => (await platform.call('GET', `/deployments/${name}`)).status === 404, `${name} gone`);

test('a deployment comes up, is listed, serves, and is gone after its deletion', async () => {
  const posted = deployment('ep1', { envs: [{ name: 'A', value: '1' }], something_new: { kept: true } });
  const created = await platform.call('POST', '/deployments', posted);
  expect(created.status).toBe(201);
  expect(await created.json()).toMatchObject({
    metadata: { id: 'ep1', name: 'ep1', created_at: expect.any(Number), version: 1 },
    spec: posted.spec,
    status: { state: 'Starting', ready_replicas: 0 },
  });
  await ready('ep1');
  const [listed] = await platform.json('GET', '/deployments');
  expect(listed.status).toMatchObject({
    state: 'Ready',
    phase: 'Ready',
    ready_replicas: 1,
    autoscaler_status: { desired_replicas: 1 },
  });
  const { external_endpoint: url } = listed.status.endpoint;
  expect(url.length).toBeLessThanOrEqual(78);
  expect((await fetch(`${url}/health`)).status).toBe(200);
  expect((await platform.call('DELETE', '/deployments/ep1')).status).toBe(200);
  await gone('ep1');
  expect((await fetch(`${url}/health`)).status).toBe(404);
  expect(await platform.sim('/inventory')).toEqual({ deployments: [], jobs: [], storage: [] });
});
