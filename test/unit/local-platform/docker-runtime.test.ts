import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { homePaths } from '../../../src/home/paths';
import { startPlatform } from '../../../src/local-platform';
import type {
  DeploymentSpecBody,
  Runtime,
  RuntimeDeployment,
  RuntimeHost,
  RuntimeJob,
} from '../../../src/local-platform/runtime';
import { createDockerRuntime } from '../../../src/local-platform/runtimes/docker';
import {
  containerName,
  environmentFile,
  runArguments,
} from '../../../src/local-platform/runtimes/docker/run-arguments';
import { freshFolder } from '../../support/folders';
import { hostIn, isRunning, stateOf, textOf } from '../../support/process-runtime';

/** Runs without a docker daemon: a fake docker CLI records its calls in order. */

let root: string;
let dispose: () => Promise<void>;
let host: RuntimeHost;
let runtime: Runtime | undefined;
const fake = (): string => path.join(root, 'docker');
const never = new AbortController().signal;
const before = { ...process.env };

beforeEach(async () => {
  ({ path: root, dispose } = await freshFolder('docker'));
  await mkdir(fake());
  process.env['PATH'] = `${path.resolve('test/fixtures/docker')}${path.delimiter}${before['PATH']}`;
  process.env['DOCKER_FAKE'] = fake();
  host = hostIn(root);
});
afterEach(async () => {
  for (const name of await readdir(path.join(host.stateFolder, 'deployments')).catch(() => []))
    await runtime?.deleteDeployment(name);
  for (const id of await readdir(path.join(host.stateFolder, 'jobs')).catch(() => [])) await runtime?.deleteJob(id);
  await runtime?.detach();
  runtime = undefined;
  process.env = { ...before };
  await dispose();
});

async function start(deployments: RuntimeDeployment[] = [], jobs: RuntimeJob[] = []): Promise<Runtime> {
  runtime = await createDockerRuntime(host);
  await runtime.start({ deployments, jobs });
  return runtime;
}

const calls = (): string[][] =>
  readFileSync(path.join(fake(), 'calls.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as string[]);
const containers = async (): Promise<string[]> =>
  (await readdir(fake())).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
const pidOf = (container: string): number =>
  (JSON.parse(readFileSync(path.join(fake(), `${container}.json`), 'utf8')) as { pid: number }).pid;

function server(more: Partial<DeploymentSpecBody> = {}): DeploymentSpecBody {
  const code = `console.log('serving', process.env.SECRET, JSON.stringify(process.env.LINES));
    require('http').createServer((q, a) => a.end('{}')).listen(Number(process.env.FAKE_PORT), '127.0.0.1')`;
  return { container: { image: 'serve:1', command: ['node', '-e', code], ports: [{ container_port: 8000 }] }, ...more };
}

test('a deployment runs as a container published on loopback, with secrets in a private file and its mounts', async () => {
  const docker = await start();
  const spec = server({
    envs: [
      { name: 'SECRET', value_from: { secret_name_ref: 'KEY' } },
      { name: 'LINES', value: 'a\nb' },
    ],
    mounts: [{ path: '/m', from: 'node-nfs:fs', mount_path: '/models' }],
    resource_requirement: { resource_shape: 'gpu.2xt4', cpu: 0.5, memory: 300, shared_memory_size: 64 } as never,
  });
  docker.createDeployment({ name: 'one', spec });
  const ready = await stateOf(() => docker.observeDeployment('one'), 'Ready');
  const run = calls().find(([word]) => word === 'run') ?? [];
  const option = (name: string): string | undefined => run[run.indexOf(name) + 1];
  expect(ready.url).toBe(`http://127.0.0.1:${option('--publish')?.split(':')[1]}`);
  expect(option('--publish')).toMatch(/^127\.0\.0\.1:\d+:8000$/);
  expect(option('--mount')).toBe(`type=bind,source=${path.join(root, 'volumes/node-nfs:fs/m')},target=/models`);
  expect([option('--cpus'), option('--memory'), option('--memory-swap'), option('--shm-size')]).toEqual([
    '0.5',
    '300m',
    '300m',
    '64m',
  ]);
  expect(option('--entrypoint')).toBe('node');
  expect(run).not.toContain('--gpus');
  const envFile = option('--env-file') ?? '';
  expect(statSync(envFile).mode & 0o777).toBe(0o600);
  expect(await readFile(envFile, 'utf8')).toContain('SECRET=s3cret\n');
  expect(JSON.stringify(calls())).not.toContain('s3cret');
  // The container's output arrives a moment later, through `docker logs`.
  let log = '';
  for await (const piece of docker.deploymentLog('one', { follow: true, signal: never })) {
    log += Buffer.from(piece).toString();
    if (log.includes('serving')) break;
  }
  expect(log).toContain('serving s3cret "a\\nb"');
  const notes = docker.observeDeployment('one').notes ?? [];
  expect(notes.map(({ reason }) => reason)).toEqual(['NoGpu', 'Limits']);
  expect(notes[1]?.message).toBe('limited to 0.5 CPUs and 300 MiB of memory, by docker');

  const [container = ''] = await containers();
  const pid = pidOf(container);
  expect(isRunning(pid)).toBe(true);
  await docker.deleteDeployment('one');
  expect(await containers()).toEqual([]);
  // The parent of the fake container may take a while to wait for it.
  while (isRunning(pid)) await sleep(50);
});

test('a restarted platform finds its containers, follows those without a follower, and removes orphans', async () => {
  let docker = await start();
  const deployments = ['kept', 'lost', 'gone'].map((name) => ({ name, spec: server() }));
  for (const deployment of deployments) docker.createDeployment(deployment);
  const urls = await Promise.all(
    ['kept', 'lost', 'gone'].map(async (name) => (await stateOf(() => docker.observeDeployment(name), 'Ready')).url),
  );
  await docker.detach();
  const [unit = ''] = (await readdir(path.join(host.stateFolder, 'deployments', 'lost'))).filter((name) =>
    name.startsWith('unit-'),
  );
  const follower = path.join(host.stateFolder, 'deployments', 'lost', unit);
  process.kill(-Number(await readFile(path.join(follower, 'pid'), 'utf8')), 'SIGKILL');
  expect(await containers()).toHaveLength(3);

  docker = await start(deployments.slice(0, 2));
  expect(await containers()).toHaveLength(2);
  const again = await Promise.all(
    ['kept', 'lost'].map(async (name) => (await stateOf(() => docker.observeDeployment(name), 'Ready')).url),
  );
  expect(again).toEqual(urls.slice(0, 2));
  for (const name of ['kept', 'lost']) await docker.deleteDeployment(name);
  expect(await containers()).toEqual([]);
});

test('a job runs in the host’s network and reports its output and end, including docker’s out-of-memory flag', async () => {
  writeFileSync(path.join(fake(), 'gpus'), '');
  const docker = await start();
  const job = (id: string, image: string, script: string): void =>
    docker.createJob({
      ...{ id, name: id },
      spec: { container: { image, command: ['/bin/bash', '-c', script] }, resource_shape: 'gpu.2xt4' },
    });
  job('good', 'eval:1', 'echo result');
  job('bad', 'hungry:1', 'echo eats; exit 137');
  job('long', 'eval:1', 'trap "echo marker; exit 0" TERM; echo ready; sleep 1000 & wait');
  await stateOf(() => docker.observeJob('good'), 'Completed');
  const run = calls().find((words) => words[0] === 'run' && words.includes('evalsaga.resource=good')) ?? [];
  expect(run.slice(run.indexOf('--network'), run.indexOf('--network') + 2)).toEqual(['--network', 'host']);
  expect(run[run.indexOf('--gpus') + 1]).toBe('2');
  expect(await textOf(docker.jobLog('good', { follow: true, signal: never }))).toBe('result\n');
  const failed = await stateOf(() => ({ ...docker.observeJob('bad'), state: over(docker, 'bad') }), 'over');
  expect(failed.message).toContain('OOMKilled (exit code 137)');
  expect((failed.notes ?? []).map(({ reason }) => reason)).toEqual(['Limits', 'OOMKilled']);

  const log = docker.jobLog('long', { follow: true, signal: never })[Symbol.asyncIterator]();
  let text = '';
  while (!text.includes('ready')) {
    const piece = await log.next();
    text += piece.done ? '' : Buffer.from(piece.value).toString();
    if (piece.done) break;
  }
  await docker.stopJob('long');
  for (let rest = await log.next(); !rest.done; rest = await log.next()) text += Buffer.from(rest.value).toString();
  expect(text).toContain('marker');
  expect(docker.observeJob('long').state).toBe('Stopped');
  expect(await containers()).toEqual([]);
});

test('a failed pull is an Error with docker’s message; pull secrets are passed in a separate config folder', async () => {
  host = { ...host, secret: (name) => (name === 'pull' ? '{"auths":{"registry":{"auth":"czNjcmV0"}}}' : undefined) };
  const docker = await start();
  const spec = { container: { image: 'absent/x:1' }, image_pull_secrets: ['pull', 'unknown'] };
  docker.createDeployment({ name: 'absent', spec });
  const state = (): string => (docker.observeDeployment('absent').state === 'Error' ? 'over' : '');
  const seen = await stateOf(() => ({ ...docker.observeDeployment('absent'), state: state() }), 'over');
  expect(seen.message).toContain("The image absent/x:1 can't be pulled: denied");
  const pull = calls().find((words) => words.includes('pull')) ?? [];
  const config = path.join(pull[pull.indexOf('--config') + 1] ?? '', 'config.json');
  expect(statSync(config).mode & 0o777).toBe(0o600);
  expect(await readFile(config, 'utf8')).toContain('czNjcmV0');
  expect(JSON.stringify(calls())).not.toContain('czNjcmV0');
});

test('without a daemon the platform refuses to start, with advice', async () => {
  writeFileSync(path.join(fake(), 'down'), '');
  const starting = startPlatform({ runtime: 'docker', port: 0, home: homePaths({ EVALSAGA_HOME: root }) });
  await expect(starting).rejects.toThrow(/needs a docker daemon, and none answers.*--runtime process/s);
});

test('a state folder with resources of one runtime is refused by another', async () => {
  const options = { port: 0, home: homePaths({ EVALSAGA_HOME: root }), stateFolder: path.join(root, 'platform') };
  const first = await startPlatform({ ...options, runtime: 'docker' });
  const answer = await fetch(`${first.url}/deployments`, {
    method: 'POST',
    headers: { authorization: `Bearer ${first.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ metadata: { name: 'ep' }, spec: { container: { image: 'absent/x:1' } } }),
  });
  expect(answer.status).toBe(201);
  await first.close();
  await expect(startPlatform({ ...options, runtime: 'process' })).rejects.toThrow(/holds ep of the docker runtime/);
});

test('arguments of docker run', () => {
  const container = {
    ...{ image: 'i:1', command: [], state: '/s', resource: 'r', envFile: '/e', envNames: ['A'], gpus: 0 },
    limits: { cpus: undefined, memoryMiB: undefined },
    mounts: [{ host: '/a,b', container: '/c', readOnly: true }],
    sharedMemory: undefined,
    network: { kind: 'host' },
  } as const;
  expect(runArguments(container)).toEqual([
    ...['--label', 'evalsaga.state=/s', '--label', 'evalsaga.resource=r', '--env-file', '/e', '--env', 'A'],
    ...['--mount', 'type=bind,"source=/a,b",target=/c,readonly', '--network', 'host', '--pull', 'never', 'i:1'],
  ]);
  expect(environmentFile({ A: '1', B: 'x\ny' })).toEqual({ text: 'A=1\n', rest: { B: 'x\ny' } });
  expect(containerName('/x')).toMatch(/^evalsaga-[0-9a-f]{20}$/);
});

function over(docker: Runtime, id: string): string {
  const { state } = docker.observeJob(id);
  return ['Completed', 'Failed', 'Stopped'].includes(state) ? 'over' : state;
}
