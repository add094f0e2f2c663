import { deployment, eventually, quickPlan, stateOf, testPlatform, type TestPlatform } from './test-platform';

let platform: TestPlatform;
afterEach(() => platform.dispose());

const start = async (plan = quickPlan) => (platform = await testPlatform({ plan }));
const ready = (name: string) => eventually(async () => (await stateOf(platform, name)) === 'Ready', `${name} Ready`);
const absent = (name: string) =>
  eventually(async () => (await platform.call('GET', `/deployments/${name}`)).status === 404, `${name} absent`);

test('a deployment becomes Ready, is listed, serves, and is absent after its deletion', async () => {
  await start('endpoints: { default: { states: [[Starting, 5s], [Ready]] } }');
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
  await absent('ep1');
  expect((await fetch(`${url}/health`)).status).toBe(404);
  expect(await platform.sim('/inventory')).toEqual({ deployments: [], jobs: [], storage: [] });
});

test('while its deletion takes time, a deployment shows Deleting and its name stays taken', async () => {
  await start('endpoints: { default: { states: [[Ready]], deleting: 10s } }');
  await platform.json('POST', '/deployments', deployment('ep1'));
  await platform.json('DELETE', '/deployments/ep1');
  expect(await stateOf(platform, 'ep1')).toBe('Deleting');
  expect((await platform.call('POST', '/deployments', deployment('ep1'))).status).toBe(409);
  expect((await platform.sim('/inventory')).deployments).toEqual(['ep1']);
  expect((await platform.call('DELETE', '/deployments/ep1')).status).toBe(200);
  expect((await platform.call('PATCH', '/deployments/ep1', { spec: { a: 1 } })).status).toBe(409);
  await absent('ep1');
  expect((await platform.call('POST', '/deployments', deployment('ep1'))).status).toBe(201);
});

test('an existing name is refused, an unknown one is not found', async () => {
  await start();
  await platform.json('POST', '/deployments', deployment('ep1'));
  const again = await platform.call('POST', '/deployments', deployment('ep1'));
  expect(again.status).toBe(409);
  expect(await again.json()).toEqual({ code: 'ResourceConflict', message: 'deployment ep1 already exists' });
  for (const [method, path] of [
    ['GET', '/deployments/nope'],
    ['DELETE', '/deployments/nope'],
    ['PUT', '/deployments/nope/restart'],
    ['GET', '/deployments/nope/readiness'],
    ['GET', '/deployments/ep1/replicas/other/log'],
    ['GET', '/nothing/here'],
  ] as const) {
    const response = await platform.call(method, path);
    expect([path, response.status, ((await response.json()) as { code: string }).code]).toEqual([
      path,
      404,
      'ResourceNotFound',
    ]);
  }
});

test('of concurrent creates of one name, one succeeds', async () => {
  await start();
  const answers = await Promise.all([1, 2, 3].map(() => platform.call('POST', '/deployments', deployment('ep1'))));
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409]);
});

test('a patch merges: null removes, lists are replaced; a dry run changes nothing', async () => {
  await start();
  await platform.json(
    'POST',
    '/deployments',
    deployment('ep1', { envs: [{ name: 'A', value: '1' }], log: { enable_collection: true } }),
  );
  const patch = { spec: { envs: [{ name: 'B', value: '2' }], log: null, resource_requirement: { max_replicas: 2 } } };
  const tried = await platform.json('PATCH', '/deployments/ep1?dryrun=true', patch);
  expect(tried.spec.log).toBeUndefined();
  expect((await platform.json('GET', '/deployments/ep1')).spec.log).toEqual({ enable_collection: true });
  const patched = await platform.json('PATCH', '/deployments/ep1', patch);
  expect(patched.spec).toEqual({
    container: { image: 'img:1' },
    resource_requirement: { resource_shape: 'cpu.small', min_replicas: 1, max_replicas: 2 },
    envs: [{ name: 'B', value: '2' }],
  });
  expect(patched.metadata.version).toBe(2);
  const empty = await platform.call('PATCH', '/deployments/ep1', {});
  expect(empty.status).toBe(400);
  expect(await empty.text()).toContain('no valid field to update');
});

test('min_replicas 0 stops a deployment, 1 starts it again, restart starts over', async () => {
  await start('endpoints: { default: { states: [[Starting, 150ms], [Ready]] } }');
  await platform.json('POST', '/deployments', deployment('ep1'));
  await ready('ep1');
  const scale = (count: number) =>
    platform.json('PATCH', '/deployments/ep1', { spec: { resource_requirement: { min_replicas: count } } });
  const stopped = await scale(0);
  expect(stopped.status).toMatchObject({ state: 'Not Ready', phase: 'Stopped', ready_replicas: 0 });
  expect((await fetch(`${stopped.status.endpoint.external_endpoint}/health`)).status).toBe(503);
  expect(await platform.json('GET', '/deployments/ep1/replicas')).toEqual([]);
  expect(await platform.json('GET', '/deployments/ep1/readiness')).toEqual({});
  expect((await scale(1)).status.state).toBe('Starting');
  await ready('ep1');
  expect((await platform.json('PUT', '/deployments/ep1/restart')).status.state).toBe('Starting');
  await ready('ep1');
});

test('an Error has its reason in status, readiness, termination and events', async () => {
  await start(`
endpoints:
  match: [{ name: '*arc*', states: [[Starting, 30ms, pulling], [Error]], message: 'image pull failed' }]`);
  await platform.json('POST', '/deployments', deployment('ep-arc-1'));
  await eventually(async () => (await stateOf(platform, 'ep-arc-1')) === 'Error');
  expect((await platform.json('GET', '/deployments/ep-arc-1')).status.message).toBe('image pull failed');
  const readiness = await platform.json('GET', '/deployments/ep-arc-1/readiness');
  expect(readiness).toEqual({
    'ep-arc-1-r0': [{ reason: 'SystemError', message: 'image pull failed', creationTimestamp: expect.any(String) }],
  });
  const termination = await platform.json('GET', '/deployments/ep-arc-1/termination');
  expect(termination['ep-arc-1-r0'][0]).toMatchObject({ exit_code: 1, message: 'image pull failed' });
  const events = await eventually(async () => {
    const seen = await platform.json('GET', '/deployments/ep-arc-1/events');
    return seen.at(-1).reason === 'Error' && seen;
  });
  expect(events[0]).toMatchObject({ type: 'Normal', reason: 'Created', count: 1 });
  expect(events.at(-1)).toMatchObject({ type: 'Warning', reason: 'Error', message: 'image pull failed' });
  expect(new Date(events.at(-1).last_observed_time).getTime()).toBeGreaterThan(0);
});

test('the log is streamed while the replica runs, and ends at once without follow', async () => {
  await start("endpoints: { default: { states: [[Starting, 8s], [Ready]], log: 'größer 🚀' } }");
  await platform.json('POST', '/deployments', deployment('ep1'));
  const [replica] = await platform.json('GET', '/deployments/ep1/replicas');
  expect(replica).toMatchObject({ id: 'ep1-r0', metadata: { id: 'ep1-r0' } });
  const path = `/deployments/ep1/replicas/${replica.id}/log`;
  expect(await (await platform.call('GET', `${path}?follow=false`)).text()).toMatch(/^\S+ ep1 Starting\n$/);
  const following = await platform.call('GET', path);
  await platform.json('GET', '/deployments');
  await ready('ep1');
  await platform.json('PATCH', '/deployments/ep1', { spec: { resource_requirement: { min_replicas: 0 } } });
  const text = await following.text();
  expect(text).toMatch(/ep1 Starting\n\S+ ep1 Ready\ngrößer 🚀\n$/);
});

test.each([
  [{ metadata: {}, spec: {} }, /metadata\.name/],
  [{ metadata: { name: 'ep1' } }, /spec: a deployment needs a spec/],
  [deployment(''), /must not be empty/],
  [deployment('a'.repeat(37)), /at most 36 characters, has 37/],
  [deployment('Ep1'), /lower-case/],
  [deployment('1ep'), /start with a lower-case letter/],
  [deployment('ep-'), /must not end with "-"/],
  [deployment('ep-by-lepton'), /by-lepton/],
  [deployment('ep', { envs: [{ name: '1A', value: '' }] }), /spec\.envs\[0\]\.name: "1A"/],
  [deployment('ep', { envs: [{ name: 'LEPTON_JOB_NAME', value: '' }] }), /reserved/],
  [deployment('ep', { envs: [{ name: 'A', value: 1 }] }), /spec\.envs\[0\]\.value/],
  [deployment('ep', { envs: 'A' }), /spec\.envs: must be a list/],
  [deployment('ep', { mounts: [{ path: '/a', from: 'node-nfs:x', mount_path: '/usr/lib/' }] }), /system folder/],
  [deployment('ep', { mounts: [{ path: '/../a', from: 'node-nfs:x', mount_path: '/data' }] }), /must not contain/],
  [deployment('ep', { mounts: [{ path: '/a', mount_path: '/data' }] }), /spec\.mounts\[0\]\.from/],
  [deployment('ep', { container: { ports: [{ container_port: 70_000 }] } }), /from 1 to 65535, got 70000/],
  [deployment('ep', { container: { ports: [{ container_port: 80, protocol: 'x' }] } }), /TCP, UDP, SCTP/],
  [deployment('ep', { container: { command: 'run' } }), /list of strings/],
  [deployment('ep', { resource_requirement: { min_replicas: 2, max_replicas: 1 } }), /must not exceed/],
  [deployment('ep', { resource_requirement: { max_replicas: 1 } }), /needs min_replicas/],
  [deployment('ep', { resource_requirement: { min_replicas: -1 } }), /at least 0|least 0/],
  [deployment('ep', { api_tokens: [{ value_from: { secret_name_ref: 'T' } }] }), /token_name_ref, not secret_name_ref/],
  [deployment('ep', { queue_config: { priority_class: 'urgent' } }), /low-1000/],
])('refused: %j', async (body, message) => {
  await start();
  const response = await platform.call('POST', '/deployments', body);
  const answer = (await response.json()) as { code: string; message: string };
  expect([response.status, answer.code]).toEqual([400, 'InvalidRequest']);
  expect(answer.message).toMatch(message);
  expect((await platform.sim('/inventory')).deployments).toEqual([]);
});

test('a name of 36 characters and a mount below a system folder are accepted', async () => {
  await start();
  const mounts = [{ path: '/a', from: 'node-nfs:x', mount_path: '/opt/data' }];
  expect((await platform.call('POST', '/deployments', deployment('a'.repeat(36), { mounts }))).status).toBe(201);
});
