import { setTimeout as delay } from 'node:timers/promises';
import { homePaths } from '../../src/home/paths';
import { createLeptonClient } from '../../src/lepton/client';
import { createLookups } from '../../src/lepton/coalesced';
import type { LeptonError } from '../../src/lepton/lepton-error';
import type { LeptonClient } from '../../src/lepton/types';
import { startPlatform, type RunningPlatform } from '../../src/local-platform';
import { fetchTaskResults } from '../../src/results/transfer/fetch';
import { followLog } from '../../src/results/logs/follow-log';
import { saveLog } from '../../src/results/logs/save-log';
import { parseResults } from '../../src/results/scores/parse';
import { freshFolder } from '../support/folders';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';

/** Tests the client against a real local platform in both dialects. */

let folder: { path: string; dispose: () => Promise<void> };
let platform: RunningPlatform;

beforeEach(async () => {
  folder = await freshFolder('client');
});
afterEach(async () => {
  await platform.close();
  await folder.dispose();
});

async function start(plan: object = {}, dialect: 'classic' | 'new' = 'classic'): Promise<LeptonClient> {
  const file = path.join(folder.path, 'plan.yaml');
  const quick = {
    endpoints: { default: { states: [['Starting', '200ms'], ['Ready']] } },
    jobs: { default: { states: [['Queueing', '100ms'], ['Running', '300ms'], ['Completed']] } },
  };
  await writeFile(file, stringify({ ...quick, ...plan }));
  const home = homePaths({ EVALSAGA_HOME: folder.path });
  platform = await startPlatform({ runtime: 'simulated', plan: file, port: 0, home, dialect });
  return createLeptonClient(platform);
}

async function until<T>(look: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (const begun = Date.now(); Date.now() - begun < 60_000; await delay(50)) {
    const value = await look();
    if (good(value)) return value;
  }
  throw new Error('the condition was not met within 60 s');
}

const container = { image: 'img:1', command: ['/bin/bash', '-c', 'serve'], ports: [{ container_port: 8000 }] };
const endpointSpec = {
  container,
  resource_requirement: { resource_shape: 'cpu.small', min_replicas: 1 },
  envs: [{ name: 'EVALSAGA_INVOCATION', value: '0123456789abcdef' }],
};

describe.each(['classic', 'new'] as const)('endpoints in the %s dialect', (dialect) => {
  test('are created, found, Ready, described, logged and deleted', async () => {
    const client = await start({}, dialect);
    await client.createDeployment({ name: 'vllm-arc-0', spec: endpointSpec });
    const ready = await until(
      () => client.getDeployment('vllm-arc-0'),
      (deployment) => deployment?.status?.state === 'Ready',
    );
    expect(ready).toMatchObject({
      metadata: { id: 'vllm-arc-0', name: 'vllm-arc-0' },
      spec: { container: { image: 'img:1' }, envs: endpointSpec.envs, resource_requirement: { min_replicas: 1 } },
      status: { ready_replicas: 1, endpoint: { external_endpoint: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/) } },
    });
    expect(await client.listDeployments()).toEqual([ready]);
    expect(await client.deploymentIssues('vllm-arc-0')).toEqual([]);
    await until(
      () => client.deploymentEvents('vllm-arc-0'),
      (events) => events.some(({ reason }) => reason === 'Ready'),
    );
    const [replica] = await client.deploymentReplicas('vllm-arc-0');
    const file = path.join(folder.path, 'endpoint.log');
    await saveLog({ source: client.deploymentLog('vllm-arc-0', replica?.id ?? ''), file, maxBytes: 100_000 });
    expect((await readFile(file, 'utf8')).length).toBeGreaterThan(0);

    const again = client.createDeployment({ name: 'vllm-arc-0', spec: endpointSpec });
    await expect(again).rejects.toMatchObject({ kind: 'conflict', status: 409 });
    await client.deleteDeployment('vllm-arc-0');
    await until(
      () => client.getDeployment('vllm-arc-0'),
      (deployment) => deployment === undefined,
    );
    await client.deleteDeployment('vllm-arc-0');
    expect(await client.listDeployments()).toEqual([]);
  });
});

test('a job is submitted, followed to its end, its results and log are fetched, and it is removed', async () => {
  const client = await start();
  const job = await client.createJob({
    name: 'eval-arc-0',
    spec: {
      container,
      resource_shape: 'cpu.small',
      envs: [{ name: 'EVALSAGA_OUTPUT_DIR', value: '/results/0-arc' }],
      mounts: [{ path: '/runs/0123456789abcdef', from: 'node-nfs:fs1', mount_path: '/results' }],
    },
  });
  const id = job.metadata.id ?? '';
  expect(id).not.toBe('');
  expect(job.metadata.name).toBe('eval-arc-0');

  const [replica] = await until(
    () => client.jobReplicas(id),
    (replicas) => replicas.length > 0,
  );
  const isOver = async () => (await client.getJob(id))?.status?.state === 'Completed';
  let text = '';
  const open = (signal: AbortSignal) => client.jobLog(id, replica?.id ?? '', { signal, follow: true });
  for await (const chunk of followLog({ open, isOver, signal: new AbortController().signal })) text += chunk;
  expect(await isOver()).toBe(true);
  const file = path.join(folder.path, 'job.log');
  await saveLog({ source: client.jobLog(id, replica?.id ?? ''), file, maxBytes: 100_000 });
  expect(text.length).toBeGreaterThan(0);
  expect(text).toBe(await readFile(file, 'utf8'));

  const lookups = createLookups(client, { sharedForMs: 500 });
  expect((await lookups.job(id))?.status?.state).toBe('Completed');
  expect((await lookups.job('eval-arc-0'))?.metadata.id).toBe(id);
  expect((await client.listJobs({ name: 'arc' })).map(({ metadata }) => metadata.id)).toEqual([id]);

  const [inside] = (await client.storage.list('fs1', '/runs/0123456789abcdef')) ?? [];
  expect(inside).toMatchObject({ type: 'dir' });
  const target = path.join(folder.path, 'home');
  const request = {
    client,
    fileSystem: 'fs1',
    path: `/runs/0123456789abcdef/${inside?.name}`,
    target,
    secrets: [],
    maxBytes: 1_000_000,
  };
  const fetched = await fetchTaskResults(request);
  expect(fetched?.files).toBeGreaterThan(0);
  const scores = parseResults(await readFile(path.join(target, 'results.yml'), 'utf8'));
  expect(Object.keys(scores.metrics).length).toBeGreaterThan(0);

  await client.storage.remove('fs1', '/runs/0123456789abcdef');
  expect(await client.storage.exists('fs1', '/runs/0123456789abcdef')).toBe(false);
  expect(await fetchTaskResults(request)).toBeUndefined();
  await client.storage.remove('fs1', '/runs/0123456789abcdef');

  await client.deleteJob(id);
  await until(
    () => client.listJobs({ mode: 'alive_only' }),
    (jobs) => jobs.length === 0,
  );
  expect(await client.getJob(id, { mode: 'alive_only' })).toBeUndefined();
  await client.deleteJob(id);
});

test('a running job can be stopped', async () => {
  const client = await start({ jobs: { default: { states: [['Running']] } } });
  const job = await client.createJob({ name: 'eval-long', spec: { container, resource_shape: 'cpu.small' } });
  const id = job.metadata.id ?? '';
  await client.stopJob(id);
  const stopped = await until(
    () => client.getJob(id),
    (found) => found?.status?.state === 'Stopped',
  );
  expect(stopped?.metadata.id).toBe(id);
  await expect(client.stopJob('never-was')).rejects.toMatchObject({ kind: 'not_found' });
});

test('1,200 jobs are listed over three pages, and one is found by name', async () => {
  const client = await start({ jobs: { default: { states: [['Queueing']] } } });
  const spec = { container, resource_shape: 'cpu.small' };
  for (let done = 0; done < 1_200; done += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, at) => client.createJob({ name: `eval-${done + at}`, spec })));
  }
  const jobs = await client.listJobs();
  expect(new Set(jobs.map(({ metadata }) => metadata.id)).size).toBe(1_200);
  expect((await createLookups(client, { sharedForMs: 500 }).job('eval-1199'))?.metadata.name).toBe('eval-1199');
});

test('a create whose response was cut off has taken effect: the next one conflicts', async () => {
  const faults = [{ on: 'POST /deployments', times: 1, respond: 'drop', apply: true }];
  const client = await start({ faults });
  const create = () => client.createDeployment({ name: 'a', spec: endpointSpec });
  await expect(create()).rejects.toMatchObject({ kind: 'network' });
  await expect(create()).rejects.toMatchObject({ kind: 'conflict' });
  expect(await client.listDeployments()).toHaveLength(1);
});

test('workspace info, node groups, secrets, and a refused token', async () => {
  const client = await start();
  expect(await client.getWorkspace()).toMatchObject({ workspace_name: 'local', workspace_state: 'normal' });
  const [group] = await client.listNodeGroups();
  expect(group?.id).not.toBe('');
  expect((await client.listNodeIds(group?.id ?? '')).length).toBeGreaterThan(0);
  expect(await client.listSecretNames()).toEqual([]);
  await client.storage.mkdir('default', '/made');
  await client.storage.mkdir('default', '/made');
  expect(await client.storage.list('default', '/made')).toEqual([]);

  const unauthorized = createLeptonClient({ ...platform, token: 'wrong-token', source: 'LEPTON_WORKSPACE_TOKEN' });
  const refusal = (await unauthorized.listJobs().catch((error: unknown) => error)) as LeptonError;
  expect(refusal).toMatchObject({ kind: 'unauthorized', status: 401 });
  expect(refusal.message).toContain('workspace local');
  expect(refusal.message).not.toContain('wrong-token');
});
