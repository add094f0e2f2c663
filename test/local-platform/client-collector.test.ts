import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { readJobState } from '../../src/lepton/job-state';
import type { StoragePlan } from '../../src/contract/plan';
import { homePaths } from '../../src/home/paths';
import { createLeptonClient } from '../../src/lepton/client';
import { renderJob } from '../../src/lepton/render-spec';
import { startPlatform, type RunningPlatform } from '../../src/local-platform';
import { collectThroughJob, removeThroughJob, type JobSurroundings } from '../../src/results/transfer/through-job';
import { freshFolder } from '../support/folders';

/** Results without a storage API: real jobs of the process runtime run the script on real files. */

const invocation = '0123456789abcdef';
const storage: StoragePlan = {
  fileSystem: 'default',
  path: `/runs/${invocation}`,
  mount: { path: `/runs/${invocation}`, from: 'node-local', mount_path: '/results' },
};

let folder: { path: string; dispose: () => Promise<void> };
let platform: RunningPlatform | undefined;

beforeEach(async () => {
  folder = await freshFolder('collector');
});
afterEach(async () => {
  await platform?.close();
  platform = undefined;
  await folder.dispose();
});

const home = () => homePaths({ EVALSAGA_HOME: folder.path });

function surroundingsOf(running: RunningPlatform): JobSurroundings {
  const marks = { invocation, index: 0, origin: 'test' };
  return {
    client: createLeptonClient(running),
    render: (spec) => renderJob(spec, { marks, nodeGroupId: null, resolve: () => '', modelUrl: 'http://none' }),
    readState: readJobState,
    jobName: 'eval-012345-arc-0',
    pollMs: 100,
    signal: AbortSignal.timeout(110_000),
  };
}

test('results are collected, then removed, and no job is left', async () => {
  platform = await startPlatform({ runtime: 'process', port: 0, home: home() });
  const { client, ...rest } = surroundingsOf(platform);
  const task = path.join(home().platform, 'storage', 'default', 'runs', invocation, '0-arc');
  await mkdir(path.join(task, 'model'), { recursive: true });
  await writeFile(path.join(task, 'results.yml'), 'results: {}');
  await writeFile(path.join(task, 'model', 'samples.jsonl'), '{"ünï": "😀"}\n'.repeat(20_000));

  const target = path.join(folder.path, 'home');
  const placement = { image: 'python:3', nodeGroup: null, storage };
  const request = { ...placement, folder: '0-arc', maxBytes: 10_000_000, target, secrets: [] };
  expect(await collectThroughJob(request, { client, ...rest })).toMatchObject({ files: 2, bytes: 360_011 });
  expect(await readFile(path.join(target, 'results.yml'), 'utf8')).toBe('results: {}');

  await removeThroughJob({ ...placement, folder: null }, { client, ...rest });
  expect(await client.storage.exists('default', storage.path)).toBe(false);
  expect(await collectThroughJob(request, { client, ...rest })).toBeUndefined();
  for (const job of await client.listJobs({ mode: 'alive_only' }))
    expect(job.status?.state).toMatch(/Deleting|Deleted/);
});

test('a failed job gives the reason', async () => {
  platform = await startPlatform({ runtime: 'process', port: 0, home: home() });
  const other = { ...storage, path: '/runs/precious' };
  const removal = removeThroughJob(
    { image: 'python:3', nodeGroup: null, storage: other, folder: null },
    surroundingsOf(platform),
  );
  await expect(removal).rejects.toThrow(/ended as Failed: .*refused: 'precious' is not the folder of a run/);
});

test('whether there is a storage API is known before anything counts as absent', async () => {
  const file = path.join(folder.path, 'plan.yaml');
  await writeFile(
    file,
    stringify({ faults: ['/storage', '/storage/**'].map((at) => ({ on: `* ${at}`, times: 'inf', respond: 404 })) }),
  );
  platform = await startPlatform({ runtime: 'simulated', port: 0, home: home() });
  expect(await createLeptonClient(platform).storage.available()).toBe(true);
  await platform.close();
  platform = await startPlatform({ runtime: 'simulated', plan: file, port: 0, home: home() });
  expect(await createLeptonClient(platform).storage.available()).toBe(false);
});
