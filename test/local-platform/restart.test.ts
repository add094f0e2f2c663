import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { homePaths } from '../../src/home/paths';
import { startPlatform } from '../../src/local-platform/index';
import { freePortForLater } from '../../src/local-platform/runtimes/process/ports';
import { deployment, eventually, job, stateOf, testPlatform, type TestPlatform } from './test-platform';

const plan = `
endpoints: { default: { states: [[Starting, 1500ms], [Ready]] } }
jobs: { default: { states: [[Running, 20s], [Completed]] } }
`;
const mounts = [{ path: '/evals', from: 'node-nfs:shared', mount_path: '/data' }];

let platform: TestPlatform;
afterEach(() => platform.dispose());

/** Creates resources of every kind that a platform must remember. */
async function fill(target: Pick<TestPlatform, 'json'>): Promise<{ jobId: string }> {
  await target.json('POST', '/deployments', deployment('ep1', { envs: [{ name: 'A', value: '1' }] }));
  await target.json('POST', '/deployments', deployment('ep2'));
  await target.json('PATCH', '/deployments/ep2', { spec: { resource_requirement: { min_replicas: 0 } } });
  const { metadata } = await target.json('POST', '/jobs', job('j1', { mounts }));
  await target.json('POST', '/jobs', job('j2'));
  await target.json('POST', '/usersecrets', [{ name: 'KEY', value: 'v' }]);
  await target.json('PUT', '/storage/default/kept');
  return { jobId: metadata.id };
}

async function snapshot(of: TestPlatform): Promise<Record<string, unknown>> {
  const deployments = await of.json('GET', '/deployments');
  const { jobs } = await of.json('GET', '/jobs');
  return {
    deployments: deployments.map((each: Record<string, unknown>) => ({ metadata: each.metadata, spec: each.spec })),
    urls: deployments.map((each: { status: { endpoint: unknown } }) => each.status.endpoint),
    jobs: jobs.map((each: Record<string, unknown>) => ({ metadata: each.metadata, spec: each.spec })),
    secrets: await of.json('GET', '/usersecrets'),
    nodeGroups: (await of.json('GET', '/dedicated-node-groups'))[0].metadata,
    storage: (await of.sim('/inventory')).storage,
    url: of.url,
    token: of.token,
  };
}

async function expectContinued(jobId: string): Promise<void> {
  expect((await platform.json('GET', '/deployments/ep2')).status.phase).toBe('Stopped');
  await eventually(async () => (await stateOf(platform, 'ep1')) === 'Ready');
  await eventually(async () => (await platform.json('GET', `/jobs/${jobId}`)).status.state === 'Completed');
  expect(await platform.json('GET', '/storage/shared/evals')).toHaveLength(3);
}

test('a restart keeps everything, including URLs, and timelines continue', async () => {
  platform = await testPlatform({ plan });
  const { jobId } = await fill(platform);
  const before = await snapshot(platform);
  platform = await platform.restarted();
  expect(await snapshot(platform)).toEqual(before);
  await expectContinued(jobId);
  await platform.json('DELETE', '/storage/shared/evals?removeall=true');
  platform = await platform.restarted();
  expect((await platform.sim('/inventory')).storage).toEqual(['default:/kept']); // results are not written twice
});

test('a deletion in progress continues after a restart', async () => {
  platform = await testPlatform({ plan: 'endpoints: { default: { states: [[Ready]], deleting: 15s } }' });
  await platform.json('POST', '/deployments', deployment('ep1'));
  await platform.json('DELETE', '/deployments/ep1');
  platform = await platform.restarted();
  expect(await stateOf(platform, 'ep1')).toBe('Deleting');
  await eventually(async () => (await platform.call('GET', '/deployments/ep1')).status === 404);
});

test('a second platform on the same state is refused, and the error says where the first one is', async () => {
  platform = await testPlatform({ plan });
  const options = { runtime: 'simulated' as const, port: 0, home: homePaths({ EVALSAGA_HOME: platform.root }) };
  await expect(startPlatform(options)).rejects.toThrow(
    `process ${process.pid} on host ${hostname()} answers at ${platform.url}`,
  );
  expect((await platform.call('GET', '/deployments')).status).toBe(200);
});

test('if the earlier port is in use another is chosen, but not if the port was given', async () => {
  platform = await testPlatform();
  const { port, root } = platform;
  await platform.close();
  const squatter = createServer().listen(port, '127.0.0.1');
  await once(squatter, 'listening');
  try {
    await expect(testPlatform({ root, port })).rejects.toThrow(new RegExp(`Port ${port} of 127\\.0\\.0\\.1`));
    platform = await testPlatform({ root });
    expect(platform.port).not.toBe(port);
  } finally {
    squatter.close();
  }
});

test('a given token and workspace are used, and closing twice is harmless', async () => {
  platform = await testPlatform({ token: 'given-token', workspace: 'ws1' });
  expect(platform.url).toMatch(/\/api\/v2\/workspaces\/ws1$/);
  expect((await platform.call('GET', '/workspace')).status).toBe(200);
  await platform.close();
  platform = await testPlatform({ root: platform.root });
  expect(platform.token).toBe('given-token');
});

test('an invalid state file is named in the error', async () => {
  platform = await testPlatform();
  await platform.json('POST', '/deployments', deployment('ep1'));
  await platform.close();
  const file = path.join(platform.stateFolder, 'deployments', 'ep1.json');
  const { writeFileSync } = await import('node:fs');
  const good = readFileSync(file);
  writeFileSync(file, 'half a rec');
  await expect(testPlatform({ root: platform.root })).rejects.toThrow(`${file} is not a valid record`);
  writeFileSync(file, good);
  platform = await testPlatform({ root: platform.root });
});

/** Starts a built platform in a child process, so that it can be killed. */
async function childPlatform(root: string): Promise<{ child: ChildProcess; url: string; token: string }> {
  const library = path.resolve(__dirname, '../../dist/local-platform/index.js');
  const options = {
    runtime: 'simulated',
    // The next platform is to find it free again.
    port: await freePortForLater(),
    home: homePaths({ EVALSAGA_HOME: root }),
    plan: path.join(root, 'p'),
  };
  const script = `
    require('node:fs').writeFileSync(${JSON.stringify(options.plan)}, ${JSON.stringify(plan)});
    require(${JSON.stringify(library)}).startPlatform(${JSON.stringify(options)})
      .then(({ url, token }) => console.log(JSON.stringify({ url, token })));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, ...(JSON.parse(line) as { url: string; token: string }) };
  }
  throw new Error('the platform did not start');
}

const kill = async (child: ChildProcess): Promise<void> => {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
};

const caller =
  (access: { url: string; token: string }) =>
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async (method: string, at: string, body?: unknown): Promise<any> => {
    const headers = { authorization: `Bearer ${access.token}`, 'content-type': 'application/json' };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(`${access.url}${at}`, init);
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return response.json();
  };

test('kill -9 loses nothing, and the next start takes over at once', async () => {
  const root = mkdtempSync(path.join(tmpdir(), 'evalsaga-kill-'));
  const first = await childPlatform(root);
  const { jobId } = await fill({ json: caller(first) });
  await expect(testPlatform({ root, plan })).rejects.toThrow(
    `process ${first.child.pid} on host ${hostname()} answers at ${first.url}`,
  );
  await kill(first.child);
  const begin = Date.now();
  platform = await testPlatform({ root, plan });
  expect(Date.now() - begin).toBeLessThan(10_000);
  expect([platform.url, platform.token]).toEqual([first.url, first.token]);
  expect((await platform.json('GET', '/deployments/ep1')).spec.envs).toEqual([{ name: 'A', value: '1' }]);
  expect((await platform.json('GET', '/jobs')).total).toBe(2);
  expect(await platform.json('GET', '/usersecrets')).toHaveLength(1);
  expect((await platform.sim('/inventory')).storage).toContain('default:/kept');
  await expectContinued(jobId);
});

test('everything acknowledged before a kill amid many requests is there after the restart', async () => {
  const root = mkdtempSync(path.join(tmpdir(), 'evalsaga-kill-'));
  const first = await childPlatform(root);
  const call = caller(first);
  const acknowledged: string[] = [];
  const requests = Array.from({ length: 40 }, async (_, index) => {
    await call('POST', '/deployments', deployment(`ep${index}`));
    acknowledged.push(`ep${index}`);
    if (acknowledged.length === 12) await kill(first.child);
  });
  await Promise.allSettled(requests);
  platform = await testPlatform({ root, plan });
  const { deployments } = await platform.sim('/inventory');
  expect(deployments).toEqual(expect.arrayContaining(acknowledged));
  expect(acknowledged.length).toBeGreaterThanOrEqual(12);
  rmSync(path.join(root, 'p'), { force: true });
});

test('values of variables are removed with their job, ownership marks are kept', async () => {
  platform = await testPlatform({ plan });
  const envs = [
    { name: 'HF_TOKEN', value: 'CANARY-of-a-job' },
    { name: 'EVALSAGA_INVOCATION', value: '0123456789abcdef' },
    { name: 'FROM', value_from: { secret_name_ref: 'KEY' } },
  ];
  const { metadata } = await platform.json('POST', '/jobs', job('j1', { envs }));
  expect(stateTexts(platform.stateFolder).some((text) => text.includes('CANARY'))).toBe(true);
  await platform.json('DELETE', `/jobs/${metadata.id}`);
  const archived = await eventually(async () => {
    const { jobs } = await platform.json('GET', '/jobs?job_query_mode=archive_only');
    return jobs[0];
  });
  expect(archived.spec.envs).toEqual([{ ...envs[0], value: '***' }, envs[1], envs[2]]);
  await eventually(() => Promise.resolve(stateTexts(platform.stateFolder).every((text) => !text.includes('CANARY'))));
});

const stateTexts = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1'));
