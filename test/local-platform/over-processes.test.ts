import { deployment, eventually, job, testPlatform, type TestPlatform } from './test-platform';

/** The HTTP API with the process runtime: real processes, but nothing that has to be provisioned. */

let platform: TestPlatform;
afterEach(() => platform.dispose());

const bash = (script: string, more: Record<string, unknown> = {}) => ({
  ...more,
  container: { image: 'any', command: ['/bin/bash', '-c', script] },
});
const inState = (id: string, state: string) =>
  eventually(async () => (await platform.json('GET', `/jobs/${id}`)).status.state === state, `${id} ${state}`);

test('jobs keep running while the platform restarts, can be stopped and run again, and leave nothing', async () => {
  platform = await testPlatform({ runtime: 'process' });
  const mounts = [{ path: '/evals/f0', from: 'node-nfs:shared', mount_path: '/workspace' }];
  const script = 'echo größe; mkdir -p /workspace/0; until test -e /workspace/go; do sleep 0.1; done; echo end';
  const short = (await platform.json('POST', '/jobs', job('short', bash(script, { mounts })))).metadata.id;
  const long = (await platform.json('POST', '/jobs', job('long', bash('sleep 1000')))).metadata.id;
  await inState(short, 'Running');
  await inState(long, 'Running');

  platform = await platform.restarted();
  const following = platform.call('GET', `/jobs/${short}/replicas/${short}-r0/log`);
  await platform.json('PUT', '/storage/shared/evals/f0/go');
  expect(await (await following).text()).toMatch(/größe\nend\n$/);
  await inState(short, 'Completed');
  expect((await platform.sim('/inventory')).storage).toEqual(['shared:/evals/f0/0', 'shared:/evals/f0/go']);

  await platform.json('PATCH', `/jobs/${long}`, { spec: { stopped: true } });
  await inState(long, 'Stopped');
  await platform.json('PATCH', `/jobs/${long}`, { spec: { stopped: false } });
  await inState(long, 'Running');

  for (const id of [short, long]) await platform.json('DELETE', `/jobs/${id}`);
  await platform.json('DELETE', '/storage/shared/evals/f0?removeall=true');
  await eventually(async () => (await platform.sim('/inventory')).jobs.length === 0, 'no job left');
  expect(await platform.sim('/inventory')).toEqual({ deployments: [], jobs: [], storage: [] });
});

test('a deployment that can’t be served here is in Error and says why', async () => {
  platform = await testPlatform({ runtime: 'process' });
  await platform.json('POST', '/deployments', deployment('ep1'));
  await eventually(async () => (await platform.json('GET', '/deployments/ep1')).status.state === 'Error');
  const { status } = await platform.json('GET', '/deployments/ep1');
  expect(status.endpoint.external_endpoint).toBe('');
  expect(status.message).toContain("can't be served on this machine");
  const { 'ep1-r0': issues } = await platform.json('GET', '/deployments/ep1/readiness');
  expect(issues).toMatchObject([{ reason: 'SystemError', message: status.message }]);
  await platform.json('DELETE', '/deployments/ep1');
  await eventually(async () => (await platform.sim('/inventory')).deployments.length === 0);
});
