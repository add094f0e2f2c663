import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { IdleWatch, noTrafficSeconds } from '../../src/local-platform/workspace/idle';
import type { DeploymentView } from '../../src/local-platform/workspace/deployments';
import { trafficRecorder } from '../../src/local-platform/model-server/traffic-file';
import { freshFolder } from '../support/folders';
import { deployment, eventually, stateOf, testPlatform, type TestPlatform } from './test-platform';

const plan = 'endpoints: { default: { states: [[Starting, 20ms], [Ready]] } }';
const withTimeout = (seconds: number) => ({ auto_scaler: { scale_down: { no_traffic_timeout: seconds } } });

async function scaledToZero(platform: TestPlatform, name: string): Promise<{ status: Record<string, unknown> }> {
  return eventually(async () => {
    const found = await platform.json('GET', `/deployments/${name}`);
    return found.status.phase === 'Stopped' && found;
  }, `${name} scaled to zero`);
}

test('a deployment without traffic scales to zero, says why, and stays there despite requests', async () => {
  let platform = await testPlatform({ plan });
  try {
    await platform.json('POST', '/deployments', deployment('idle', withTimeout(3)));
    await platform.json('POST', '/deployments', deployment('always', withTimeout(0)));
    const { status } = await scaledToZero(platform, 'idle');
    expect(status).toMatchObject({
      state: 'Not Ready',
      ready_replicas: 0,
      autoscaler_status: { desired_replicas: 0 },
      message: expect.stringContaining('no request came for 3 s'),
    });
    const { external_endpoint: url } = status['endpoint'] as { external_endpoint: string };
    expect((await fetch(`${url}/v1/models`)).status).toBe(503);
    expect(await stateOf(platform, 'always')).toBe('Ready');

    platform = await platform.restarted();
    await scaledToZero(platform, 'idle');
    const up = { spec: { resource_requirement: { min_replicas: 1 } } };
    await platform.json('PATCH', '/deployments/idle', up);
    await eventually(async () => (await stateOf(platform, 'idle')) === 'Ready', 'it is scaled up again');
  } finally {
    await platform.dispose();
  }
});

/** A Ready deployment, as the watch sees it. */
const ready = (name: string, spec: object): DeploymentView =>
  ({ record: { name, spec }, observed: { state: 'Ready' } }) as unknown as DeploymentView;

test('the timeout counts from when the deployment became Ready, and again from each request', async () => {
  const lastRequestAt = new Map<string, number>([['a', 0]]);
  const watch = new IdleWatch((name) => Promise.resolve(lastRequestAt.get(name)));
  const overdue = async (at: number) =>
    (await watch.overdue([ready('a', withTimeout(10)), ready('unknown', withTimeout(10)), ready('never', {})], at)).map(
      ({ record }) => record.name,
    );
  expect(await overdue(1_000)).toEqual([]);
  expect(await overdue(10_999)).toEqual([]);
  expect(await overdue(11_000)).toEqual(['a']);
  lastRequestAt.set('a', 9_000);
  expect(await overdue(18_999)).toEqual([]);
  expect(await overdue(19_000)).toEqual(['a']);
  // It was not Ready meanwhile, so its time starts again.
  expect(await watch.overdue([], 20_000)).toEqual([]);
  expect(await overdue(21_000)).toEqual([]);
});

test.each([
  [{}, 0],
  [{ auto_scaler: {} }, 0],
  [{ auto_scaler: { scale_down: { no_traffic_timeout: 3600 } } }, 3600],
])('%j scales down after %d s', (spec, seconds) => {
  expect(noTrafficSeconds(spec)).toBe(seconds);
});

test('the model server records requests in the modification time of a file', async () => {
  const folder = await freshFolder('traffic');
  try {
    const file = path.join(folder.path, 'traffic');
    const recordRequest = trafficRecorder(file);
    const before = await stat(file);
    expect(before.mode & 0o077).toBe(0);
    const from = Date.now();
    recordRequest();
    const after = await stat(file);
    expect(after.mtimeMs).toBeGreaterThanOrEqual(from - 2);
    expect(await readFile(file, 'utf8')).toBe('');
  } finally {
    await folder.dispose();
  }
});
