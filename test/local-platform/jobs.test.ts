import { eventually, job, quickPlan, testPlatform, type TestPlatform } from './test-platform';

let platform: TestPlatform;
afterEach(() => platform.dispose());

const start = async (plan = quickPlan) => (platform = await testPlatform({ plan }));
const slow = 'jobs: { default: { states: [[Running, 1m], [Completed]] } }';
const inState = (id: string, state: string) =>
  eventually(async () => {
    const found = await platform.json('GET', `/jobs/${id}`);
    return found.status.state === state && found;
  }, `${id} ${state}`);
const names = async (query: string): Promise<string[]> =>
  (await platform.json('GET', `/jobs?${query}`)).jobs.map((each: { metadata: { name: string } }) => each.metadata.name);

test('a job gets its own id, runs, completes, and is absent after its deletion', async () => {
  await start();
  const created = await platform.json('POST', '/jobs', job('eval-1'));
  expect(created.metadata).toMatchObject({ name: 'eval-1', created_at: expect.any(Number) });
  const { id } = created.metadata;
  expect(id).toMatch(/^eval-1-[0-9a-z]{4}$/);
  const done = await inState(id, 'Completed');
  expect(done.status).toMatchObject({ succeeded: 1, active: 0, creation_time: created.metadata.created_at });
  expect(done.status.completion_time).toBeGreaterThan(done.status.creation_time);
  expect(await names('job_query_mode=alive_only')).toEqual(['eval-1']);
  expect((await platform.sim('/inventory')).jobs).toEqual([id]);
  await platform.json('DELETE', `/jobs/${id}?job_query_mode=alive_only`);
  await eventually(async () => (await platform.call('GET', `/jobs/${id}`)).status === 404);
  expect(await names('job_query_mode=alive_only')).toEqual([]);
  expect(await names('job_query_mode=alive_and_archive')).toEqual([]);
  const archived = (await platform.json('GET', '/jobs?job_query_mode=archive_only')).jobs;
  expect(archived).toMatchObject([{ metadata: { id }, status: { state: 'Deleted' } }]);
  expect((await platform.sim('/inventory')).jobs).toEqual([]);
  await platform.json('DELETE', `/jobs/${id}?job_query_mode=archive_only`);
  expect(await names('job_query_mode=archive_only')).toEqual([]);
});

test('the name is given as metadata.name or metadata.id, and two jobs may share it', async () => {
  await start(slow);
  const first = await platform.json('POST', '/jobs', { metadata: { name: 'twin', visibility: 'private' }, spec: {} });
  const second = await platform.json('POST', '/jobs', { metadata: { id: 'twin' }, spec: {} });
  expect(first.metadata.visibility).toBe('private');
  expect(first.metadata.id).not.toBe(second.metadata.id);
  expect(await names('q=twin')).toEqual(['twin', 'twin']);
});

test('pages begin at 1, and a page past the end is empty', async () => {
  await start(slow);
  for (let index = 0; index < 5; index++) await platform.json('POST', '/jobs', job(`j${index}`));
  expect(await names('page=1&page_size=2')).toEqual(['j0', 'j1']);
  expect(await names('page=3&page_size=2')).toEqual(['j4']);
  expect(await names('page=4&page_size=2')).toEqual([]);
  expect(await platform.json('GET', '/jobs?page=1&page_size=2')).toMatchObject({ total: 5, page: 1, page_size: 2 });
  expect((await platform.call('GET', '/jobs?page=0')).status).toBe(400);
  expect((await platform.call('GET', '/jobs?job_query_mode=some')).status).toBe(400);
});

test('listings filter by part of the name, state, creator, node group and label', async () => {
  await start(
    `jobs: { match: [{ name: '*bad*', states: [[Failed]] }], default: { states: [[Running, 1m], [Completed]] } }`,
  );
  await platform.json('POST', '/jobs', {
    metadata: { name: 'good', created_by: 'ann', labels: { team: 'a' } },
    spec: { affinity: { allowed_dedicated_node_groups: ['ng-1'] } },
  });
  await platform.json('POST', '/jobs', job('bad'));
  expect(await names('q=oo')).toEqual(['good']);
  expect(await names('status=Failed')).toEqual(['bad']);
  expect(await names('status=Failed&status=Running')).toEqual(['good', 'bad']);
  expect(await names('created_by=ann')).toEqual(['good']);
  expect(await names('node_groups=ng-1')).toEqual(['good']);
  expect(await names('query=team=a')).toEqual(['good']);
  expect(await names('query=team=b')).toEqual([]);
});

test('a job is stopped by a patch and can run again', async () => {
  await start(slow);
  const { metadata } = await platform.json('POST', '/jobs', job('eval-1'));
  const stopped = await platform.json('PATCH', `/jobs/${metadata.id}`, { spec: { stopped: true } });
  expect(stopped.status.state).toBe('Stopped');
  expect(stopped.status.completion_time).toBeGreaterThan(0);
  const again = await platform.json('PATCH', `/jobs/${metadata.id}`, { spec: { stopped: false } });
  expect(again.status.state).toBe('Running');
  expect((await platform.call('PATCH', `/jobs/${metadata.id}`, { spec: { envs: [] } })).status).toBe(400);
});

test('after its ttl a finished job is in the archive only', async () => {
  await start();
  const { metadata } = await platform.json('POST', '/jobs', job('eval-1', { ttl_seconds_after_finished: 0 }));
  await eventually(async () => (await names('job_query_mode=alive_only')).length === 0);
  const archived = await platform.json('GET', `/jobs/${metadata.id}?job_query_mode=alive_and_archive`);
  expect(archived.status.state).toBe('Completed');
  expect((await platform.call('GET', `/jobs/${metadata.id}?job_query_mode=alive_only`)).status).toBe(404);
  expect(await names('job_query_mode=archive_only')).toEqual(['eval-1']);
  expect((await platform.sim('/inventory')).jobs).toEqual([]);
  const [replica] = await platform.json('GET', `/jobs/${metadata.id}/replicas`);
  const log = `/jobs/${metadata.id}/replicas/${replica.metadata.id}/log`;
  expect(await (await platform.call('GET', log)).text()).toMatch(/eval-1 Completed\n$/);
  const [stream] = (await platform.json('GET', `/logs?job=${metadata.id}`)).data.result;
  expect(stream.values[0][1]).toMatch(/eval-1 Completed$/);
  await platform.json('DELETE', `/jobs/${metadata.id}?job_query_mode=archive_only`);
  expect((await platform.call('GET', log)).status).toBe(404);
});

const outcome = `
jobs:
  match: [{ name: '*wino*', states: [[Running, 50ms], [Failed]], log: 'CUDA out of memory', message: 'exit code 1' }]
  default: { states: [[Running, 50ms], [Completed]] }`;
const mounts = [
  { path: '/', from: 'node-local', mount_path: '/cache' },
  { path: '/evals/f00', from: 'node-nfs:shared', mount_path: '/workspace' },
];

test('a completed job leaves its results in its own folder, a failed one leaves none', async () => {
  await start(outcome);
  const spec = (task: string) => ({ mounts, envs: [{ name: 'EVALSAGA_OUTPUT_DIR', value: `/workspace/${task}` }] });
  const good = await platform.json('POST', '/jobs', job('eval-f00-arc-challenge-0', spec('0')));
  const bad = await platform.json('POST', '/jobs', job('eval-f00-winogrande-1', spec('1')));
  await inState(good.metadata.id, 'Completed');
  const failed = await inState(bad.metadata.id, 'Failed');
  expect(failed.status).toMatchObject({ failed: 1, message: 'exit code 1' });
  const entries = await platform.json('GET', '/storage/shared/evals/f00/0');
  expect(entries.map((entry: { name: string }) => entry.name)).toEqual([
    'eval_factory_metrics.json',
    'results.yml',
    'run_config.yml',
  ]);
  const results = await (await platform.call('GET', '/storage/shared/evals/f00/0/results.yml')).text();
  expect(results).toMatch(/tasks:\n\s+arc_challenge:\n\s+metrics:\n\s+acc:\n\s+scores:\n\s+acc:\n\s+value: 0/);
  expect((await platform.call('GET', '/storage/shared/evals/f00/1')).status).toBe(404);
  const log = `/jobs/${bad.metadata.id}/replicas/${bad.metadata.id}-r0/log`;
  expect(await (await platform.call('GET', log)).text()).toMatch(/Failed\nCUDA out of memory\n$/);
  for (const { metadata } of [good, bad]) await platform.json('DELETE', `/jobs/${metadata.id}`);
  await eventually(async () => (await platform.sim('/inventory')).jobs.length === 0);
  await platform.json('DELETE', '/storage/shared/evals/f00?removeall=true');
  expect(await platform.sim('/inventory')).toEqual({ deployments: [], jobs: [], storage: [] });
});

test('without an output folder results go to the first mount, without a mount there are none', async () => {
  await start();
  const mounted = await platform.json('POST', '/jobs', job('eval-1', { mounts: mounts.slice(1) }));
  const bare = await platform.json('POST', '/jobs', job('eval-2'));
  await inState(mounted.metadata.id, 'Completed');
  await inState(bare.metadata.id, 'Completed');
  expect((await platform.sim('/inventory')).storage).toEqual(
    ['eval_factory_metrics.json', 'results.yml', 'run_config.yml'].map((name) => `shared:/evals/f00/${name}`),
  );
});

test('the log is served in Loki’s format, by time and by page', async () => {
  await start(
    "jobs: { default: { states: [[Running, 30ms], [Failed]], log: 'one\\ntwo\\nthree' } }".replaceAll("'", '"'),
  );
  const { metadata } = await platform.json('POST', '/jobs', job('eval-1'));
  await inState(metadata.id, 'Failed');
  const begin = BigInt(metadata.created_at) * 1_000_000n;
  const query = (more: string, from = begin) =>
    platform.json('GET', `/logs?start=${from}&end=${begin + 10n ** 12n}&job=${metadata.id}&direction=forward&${more}`);
  const all = (await query('limit=100')).data.result[0].values as [string, string][];
  expect(all.map(([, line]) => line).slice(2)).toEqual(['one', 'two', 'three']);
  const [third] = (await query('limit=1&q=three')).data.result[0].values;
  expect(third).toEqual(all[4]);
  const rest = (await query('limit=100', BigInt(all[3]?.[0] ?? 0))).data.result[0].values;
  expect(rest).toEqual(all.slice(3));
  const backward = await platform.json('GET', `/logs?job=${metadata.id}&direction=backward&limit=2`);
  expect(backward.data.result[0].values).toEqual([all[4], all[3]]);
  expect((await query('q=nothing')).data.result).toEqual([]);
  expect((await platform.call('GET', '/logs?start=1&job=x')).status).toBe(400);
  expect((await platform.call('GET', '/logs')).status).toBe(400);
});

test.each([
  [{ metadata: {}, spec: {} }, /metadata\.name/],
  [job('UPPER'), /lower-case/],
  [job('j', { completions: 0 }), /completions: must be a whole number of at least 1/],
  [job('j', { ttl_seconds_after_finished: -1 }), /ttl_seconds_after_finished/],
  [job('j', { mounts: [{ path: '/a', from: 'node-nfs:x', mount_path: '/etc' }] }), /system folder/],
])('refused: %j', async (body, message) => {
  await start();
  const response = await platform.call('POST', '/jobs', body);
  expect(response.status).toBe(400);
  expect(((await response.json()) as { message: string }).message).toMatch(message);
});

test.each(
  [
    'Starting Running Failed Completed Stopped Stopping Deleting Deleted Restarting Archived Queueing Awaiting PendingRetry Terminating'.split(
      ' ',
    ),
  ].flat(),
)('the state %s reaches the client unchanged', async (state) => {
  await start(`jobs: { default: { states: [[${state}]] } }`);
  const { metadata } = await platform.json('POST', '/jobs', job('eval-1'));
  await inState(metadata.id, state);
});
