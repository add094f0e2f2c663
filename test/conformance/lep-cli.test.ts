import { readFileSync } from 'node:fs';
import path from 'node:path';
import { eventually, stateOf, testPlatform, type TestPlatform } from '../local-platform/test-platform';
import { createArguments, lepFor, lepPlan, lepVersions, logWasAskedFor, type Lep, type LepVersion } from './lep';

/** Runs every command of the real clients' recorded traffic, with both versions, in the classic dialect. */

jest.setTimeout(300_000);

let platform: TestPlatform;
afterEach(() => platform.dispose());

const setUp = async (version: LepVersion, options: { login?: boolean } = {}): Promise<Lep> => {
  platform = await testPlatform({ plan: lepPlan, workspace: 'ws1' });
  return lepFor(version, platform, options);
};

describe.each(lepVersions)('leptonai %s', (version) => {
  /** 0.47.1 first reads the workspace, to choose a dialect. */
  const prelude = version === '0.47.1' ? ['GET /workspace'] : [];

  test('login, workspace, secrets, node groups', async () => {
    const lep = await setUp(version, { login: true });
    const login = await lep('login', '-c', `ws1:${platform.token}`, '-u', platform.url);
    expect(login.code).toBe(0);
    expect([...login.requests].sort()).toEqual(['GET /', 'GET /tokens', 'GET /workspace']);
    const record = readFileSync(path.join(platform.root, `lep-cache-${version}`, 'workspace_info.yaml'), 'utf8');
    expect(record).toContain('local platform');
    expect(record).toMatch(/token_expires_at: \d{13}/);

    const status = await lep('workspace', 'status');
    expect([status.code, status.requests]).toEqual([0, ['GET /workspace']]);
    expect(status.text).toMatch(/id: ws1 state: WorkspaceState\.Normal tier: local/);
    expect((await lep('workspace', 'list')).text).toMatch(/3\d\d\d days left|ws1/);

    const created = await lep('secret', 'create', '-n', 'MYKEY', '-v', 's3cr3t');
    expect([created.code, created.requests]).toEqual([0, ['GET /usersecrets', 'POST /usersecrets']]);
    const again = await lep('secret', 'create', '-n', 'MYKEY', '-v', 's3cr3t');
    expect([again.code, again.requests]).toEqual([1, ['GET /usersecrets']]);
    expect((await lep('secret', 'list')).text).toMatch(/MYKEY .* private/);
    const removed = await lep('secret', 'remove', '-n', 'MYKEY');
    expect([removed.code, removed.requests]).toEqual([0, ['GET /usersecrets', 'DELETE /usersecrets/MYKEY']]);
    expect((await lep('secret', 'list')).text).not.toContain('MYKEY');

    const [group] = await platform.json('GET', '/dedicated-node-groups');
    const nodes = await lep('node', 'list');
    expect([nodes.code, nodes.requests]).toEqual([
      0,
      ['GET /dedicated-node-groups', `GET /dedicated-node-groups/${group.metadata.id}/nodes`],
    ]);
    expect(nodes.text).toContain(group.metadata.name);

    const refused = await lepFor(version, { ...platform, token: 'wrong' });
    const listing = await refused('job', 'list');
    expect(listing.code).toBe(1);
    expect(listing.text).toContain('401 Unauthorized');
  });

  test('an endpoint from creation to deletion', async () => {
    const lep = await setUp(version);
    const [group] = await platform.json('GET', '/dedicated-node-groups');
    const created = await lep('deployment', 'create', ...createArguments('ep1', group.metadata.name));
    expect([created.code, created.requests]).toEqual([
      0,
      [...prelude, 'GET /deployments', 'GET /dedicated-node-groups', 'POST /deployments'],
    ]);
    const stored = await platform.json('GET', '/deployments/ep1');
    expect(stored.spec).toMatchObject({
      container: { image: 'img:1', ports: [{ container_port: 8000 }], command: ['/bin/bash', '-c', 'vllm serve m'] },
      resource_requirement: {
        affinity: { allowed_dedicated_node_groups: [group.metadata.id] },
        min_replicas: 1,
        max_replicas: 2,
      },
      api_tokens: [{ value: 'tok' }],
      mounts: [{ path: '/p', from: 'node-nfs:fs1', mount_path: '/data' }],
    });
    const twice = await lep('deployment', 'create', ...createArguments('ep1', group.metadata.name));
    expect([twice.code, twice.requests.at(-1)]).toEqual([1, 'GET /deployments']);

    await eventually(async () => (await stateOf(platform, 'ep1')) === 'Ready');
    const list = await lep('deployment', 'list');
    expect([list.code, list.requests]).toEqual([0, [...prelude, 'GET /deployments']]);
    expect(list.text).toMatch(/ep1 .*Ready/);
    expect(list.text).not.toContain('[lepton-error]');

    const got = await lep('endpoint', 'get', '-n', 'ep1');
    expect([got.code, got.requests]).toEqual([0, [...prelude, 'GET /deployments/ep1']]);
    expect(JSON.parse(got.stdout)).toMatchObject({
      metadata: { id: 'ep1' },
      status: { state: 'Ready', endpoint: { external_endpoint: stored.status.endpoint.external_endpoint } },
    });

    const status = await lep('deployment', 'status', '-n', 'ep1');
    expect([status.code, status.requests]).toEqual([
      0,
      [
        ...prelude,
        'GET /deployments/ep1',
        'GET /deployments/ep1/readiness',
        ...(status.requests.includes('GET /deployments/ep1/termination') ? ['GET /deployments/ep1/termination'] : []),
      ],
    ]);
    expect(status.text).toContain('1 out of 1 replicas ready');

    const events = await lep('deployment', 'events', '-n', 'ep1');
    expect([events.code, events.requests]).toEqual([0, [...prelude, 'GET /deployments/ep1/events']]);
    expect(events.text).toMatch(/Created.*Starting.*Ready/);

    // The log continues while the replica runs, and ends when the endpoint is stopped.
    const following = lep('deployment', 'log', '-n', 'ep1');
    await logWasAskedFor(platform);
    const stopped = await lep('deployment', 'update', '-n', 'ep1', '--min-replicas', '0');
    expect(stopped.code).toBe(0);
    const log = await following;
    expect(log.code).toBe(0);
    expect(log.text).toMatch(/ep1 Starting .*ep1 Ready größer 🚀/);
    expect((await platform.json('GET', '/deployments/ep1')).status).toMatchObject({
      state: 'Not Ready',
      phase: 'Stopped',
    });

    expect((await lep('deployment', 'update', '-n', 'ep1', '--min-replicas', '1')).code).toBe(0);
    await eventually(async () => (await stateOf(platform, 'ep1')) === 'Ready');
    const restarted = await lep('endpoint', 'restart', '-n', 'ep1');
    expect([restarted.code, restarted.requests]).toEqual([0, [...prelude, 'PUT /deployments/ep1/restart']]);
    const stop = await lep('endpoint', 'stop', '-n', 'ep1');
    expect([stop.code, stop.requests]).toEqual([0, [...prelude, 'GET /deployments/ep1', 'PATCH /deployments/ep1']]);
    const removed = await lep('endpoint', 'remove', '-n', 'ep1');
    expect([removed.code, removed.requests]).toEqual([0, [...prelude, 'DELETE /deployments/ep1']]);
    const missing = await lep('endpoint', 'get', '-n', 'ep1');
    expect(missing.code).toBe(1);
    expect(missing.text).toContain('deployment ep1 was not found');
    expect((await lep('endpoint', 'remove', '-n', 'ep1')).code).toBe(1);
    expect(await platform.sim('/inventory')).toEqual({ deployments: [], jobs: [], storage: [] });
  });

  test('the JSON of an endpoint with the longest name is not broken at 80 columns', async () => {
    const lep = await setUp(version);
    const name = 'a'.repeat(36);
    expect(
      (await lep('endpoint', 'create', '-n', name, '--container-image', 'i', '--container-command', 'x')).code,
    ).toBe(0);
    const shown = JSON.parse((await lep('endpoint', 'get', '-n', name)).stdout);
    expect(shown.status.endpoint.external_endpoint).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:\\d+/e/${name}$`));
  });

  test('an endpoint in Error gives the reason, and invalid names are refused', async () => {
    const lep = await setUp(version);
    const create = (name: string) =>
      lep('endpoint', 'create', '-n', name, '--container-image', 'i', '--container-command', 'x');
    expect((await create('broken-1')).code).toBe(0);
    const status = await lep('endpoint', 'status', '-n', 'broken-1');
    expect(status.code).toBe(0);
    expect(status.text).toMatch(/SystemError.*image pull failed/);
    const refused = await create('1-is-no-name');
    expect(refused.code).toBe(1);
    expect((await platform.sim('/inventory')).deployments).toEqual(['broken-1']);
  });

  test('a job from creation to deletion', async () => {
    const lep = await setUp(version);
    const [group] = await platform.json('GET', '/dedicated-node-groups');
    const common = ['--container-image', 'img:1', '--command', 'echo hi', '--resource-shape', 'cpu.small'];
    const created = await lep(
      ...['job', 'create', '-n', 'job1', ...common, '--node-group', group.metadata.name, '--num-workers', '2'],
      ...['--max-failure-retry', '1', '-e', 'A=1', '--mount', '/p:/data:node-nfs:fs1', '--image-pull-secrets', 'ips1'],
      ...['--ttl-seconds-after-finished', '900'],
    );
    expect([created.code, created.requests]).toEqual([0, ['GET /dedicated-node-groups', 'POST /jobs']]);
    const [stored] = (await platform.json('GET', '/jobs?q=job1')).jobs;
    const { id } = stored.metadata;
    expect(created.text).toContain(`Name: job1 ID: ${id}`);
    expect(stored.spec).toMatchObject({ completions: 2, parallelism: 2, ttl_seconds_after_finished: 900 });

    await eventually(async () => (await platform.json('GET', `/jobs/${id}`)).status.state === 'Completed');
    const list = await lep('job', 'list');
    expect([list.code, list.requests]).toEqual([0, ['GET /jobs', 'GET /jobs']]);
    expect(list.text).toMatch(/job1 .*Completed/);
    const byName = await lep('job', 'get', '-n', 'job1');
    expect([byName.code, byName.requests]).toEqual([0, ['GET /jobs', 'GET /jobs']]);
    expect(byName.text).toContain(`"id": "${id}"`);
    const byId = await lep('job', 'get', '-i', id);
    expect([byId.code, byId.requests]).toEqual([0, [`GET /jobs/${id}`]]);
    expect(byId.text).toContain('"state": "Completed"');

    const log = await lep('job', 'log', '-i', id);
    expect([log.code, log.requests]).toEqual([
      0,
      [`GET /jobs/${id}/replicas`, `GET /jobs/${id}/replicas/${id}-r0/log`],
    ]);
    expect(log.text).toMatch(/job1 Running .*job1 Completed fertig ✓ End of log/);
    const lines = await lep('log', 'get', '-j', id);
    expect(lines.code).toBe(0);
    expect(lines.requests).toContain('GET /logs');
    expect(lines.text).toMatch(/job1 Running".*job1 Completed".*"fertig ✓".*total 3 lines/);
    const replicas = await lep('job', 'replicas', '-i', id);
    expect([replicas.code, replicas.requests]).toEqual([0, [`GET /jobs/${id}/replicas`]]);
    expect(replicas.text).toContain(`${id}-r0`);
    const events = await lep('job', 'events', '-i', id);
    expect([events.code, events.requests]).toEqual([0, [`GET /jobs/${id}/events`]]);
    expect(events.text).toMatch(/Created.*Running.*Completed/);

    expect((await lep('job', 'create', '-n', 'slow1', ...common)).code).toBe(0);
    const [slow] = (await platform.json('GET', '/jobs?q=slow1')).jobs;
    const stop = await lep('job', 'stop', '-i', slow.metadata.id);
    const slowPath = `/jobs/${slow.metadata.id}`;
    expect([stop.code, stop.requests]).toEqual([0, [`GET ${slowPath}`, `PATCH ${slowPath}`]]);
    expect((await platform.json('GET', slowPath)).status.state).toBe('Stopped');
    const removed = await lep('job', 'remove', '-n', 'slow1');
    expect([removed.code, removed.requests]).toEqual([0, ['GET /jobs', 'GET /jobs', `DELETE ${slowPath}`]]);
    expect((await lep('job', 'remove', '-n', 'slow1')).code).toBe(1);
    expect((await lep('job', 'remove', '-n', 'job1')).code).toBe(0);
    await eventually(async () => (await platform.sim('/inventory')).jobs.length === 0);
    const bad = await lep('job', 'create', '-n', 'Bad_Name', ...common);
    expect(bad.code).toBe(1);
    expect(bad.text).toMatch(/lower-?case letter/);
  });
});
