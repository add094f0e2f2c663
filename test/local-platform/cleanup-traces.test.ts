import { writeFile } from 'node:fs/promises';
import { createLeptonClient } from '../../src/lepton/client';
import type { LeptonClient } from '../../src/lepton/types';
import { cleanUp, type CleanupRequest } from '../../src/cleanup/cleanup';
import { findTrace, traceOf } from '../../src/cleanup/find-storage';
import { eventually, quickPlan, testPlatform, type TestOptions, type TestPlatform } from './test-platform';

/** Cleanup without the run's plan, by what the platform remembers of the run's jobs. */

let platform: TestPlatform;
let client: LeptonClient;
afterEach(() => platform.dispose());

const invocation = '0123456789abcdef';
const folder = `/a/b/c/d/e/${invocation}`;

async function setUp(options: TestOptions = {}): Promise<void> {
  platform = await testPlatform({ plan: quickPlan, ...options });
  client = createLeptonClient({ url: platform.url, workspace: platform.workspace, token: platform.token });
}

const spec = {
  container: { image: 'eval:1', command: ['true'] },
  resource_shape: 'cpu.small',
  envs: [
    { name: 'EVALSAGA_INVOCATION', value: invocation },
    { name: 'EVALSAGA_TASK', value: '2' },
    { name: 'EVALSAGA_ORIGIN', value: 'home:other' },
    { name: 'EVALSAGA_OUTPUT_DIR', value: '/workspace/2-x' },
  ],
  mounts: [{ path: folder, from: 'node-nfs:fs1', mount_path: '/workspace' }],
};

/** Creates a deleted evaluation job whose results are still in storage. */
async function deletedJob(): Promise<void> {
  const { metadata } = await client.createJob({ name: `eval-x-2-${invocation.slice(0, 8)}`, spec });
  const id = metadata.id ?? '';
  await eventually(async () => (await client.getJob(id))?.status?.state === 'Completed');
  await client.deleteJob(id);
  await eventually(async () => (await client.listJobs({ mode: 'alive_only' })).length === 0);
}

const cleaning = (change: Partial<CleanupRequest> = {}) =>
  cleanUp({
    platform: client,
    invocation,
    plan: undefined,
    origin: 'home:this',
    outputDir: `${platform.root}/home-coming`,
    secrets: [],
    discard: false,
    report: () => undefined,
    ...change,
  });

test('the archive shows where a run wrote: results are fetched and the folder is removed', async () => {
  await setUp();
  await deletedJob();
  expect((await platform.sim('/inventory')).storage).toContain(`fs1:${folder}/2-x/results.yml`);
  const owners: (readonly string[])[] = [];
  const report = await cleaning({ admit: (marks) => owners.push(marks) });
  expect(report).toMatchObject({ left: [], kept: [], unseen: null, removed: [{ kind: 'storage', name: folder }] });
  expect(owners).toEqual([['home:other']]);
  expect((await platform.sim('/inventory')).storage).toEqual([]);
  expect(await cleaning()).toMatchObject({ removed: [], left: [], kept: [], unseen: null });
});

test('storage with an unknown file beside the tasks’ folders is kept, and the file is named', async () => {
  await setUp();
  await deletedJob();
  await writeFile(`${platform.stateFolder}/storage/fs1${folder}/core.1234`, 'x');
  const report = await cleaning();
  expect(report).toMatchObject({
    removed: [],
    kept: [{ path: folder, reason: `storage ${folder} holds core.1234, which has not come home` }],
  });
  expect((await platform.sim('/inventory')).storage).toContain(`fs1:${folder}/core.1234`);
});

test('without a storage API, a job of the run provides image, volume and path', async () => {
  await setUp({ storageApi: false });
  await deletedJob();
  expect(await findTrace(client, invocation)).toMatchObject({
    origin: 'home:other',
    index: 2,
    storage: {
      fileSystem: 'fs1',
      path: folder,
      mount: { path: folder, from: 'node-nfs:fs1', mount_path: '/workspace' },
    },
    job: {
      name: `eval-x-2-${invocation.slice(0, 8)}`,
      spec: expect.objectContaining({ container: { image: 'eval:1' } }),
    },
  });
  expect(await findTrace(client, 'f'.repeat(16))).toBeUndefined();
});

test('without storage API and job, cleanup reports that it does not know whether a folder is left', async () => {
  await setUp({ storageApi: false });
  const report = await cleaning();
  expect(report).toMatchObject({ removed: [], left: [], kept: [] });
  expect(report.unseen).toMatch(/no storage API and remembers no job.*on the host that started the run/);
  const named = await cleaning({ storage: { fileSystem: 'default', path: `/x/${invocation}` }, discard: true });
  expect(named.kept).toEqual([
    {
      path: `/x/${invocation}`,
      reason: expect.stringMatching(/no storage API.*only the host that started the run/),
      command: `evalsaga cleanup ${invocation}`,
    },
  ]);
});

test.each([
  [
    'another run',
    { envs: spec.envs.map((env) => (env.name === 'EVALSAGA_INVOCATION' ? { ...env, value: 'f'.repeat(16) } : env)) },
  ],
  ['no marks', { envs: [] }],
  ['a mount of another folder', { mounts: [{ path: '/data', from: 'node-nfs:fs1', mount_path: '/data' }] }],
  ['no mounts', { mounts: undefined }],
  ['no image', { container: {} }],
])('a job with %s provides no trace', async (_, change) => {
  await setUp();
  expect(traceOf({ metadata: { id: 'j' }, spec: { ...spec, ...change } }, invocation)).toBeUndefined();
});
