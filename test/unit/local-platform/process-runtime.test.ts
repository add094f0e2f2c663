import { existsSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { homePaths } from '../../../src/home/paths';
import type { DeploymentSpecBody, Runtime, RuntimeHost } from '../../../src/local-platform/runtime';
import { wrapCommand } from '../../../src/config/plan/server-command';
import { freshFolder } from '../../support/folders';
import { hostIn, isRunning, script, startRuntime, stateOf, textOf } from '../../support/process-runtime';

let root: string;
let dispose: () => Promise<void>;
let host: RuntimeHost;
let runtime: Runtime;
const home = () => homePaths({ EVALSAGA_HOME: path.join(root, 'home') });
const never = new AbortController().signal;

async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(20);
}

beforeEach(async () => {
  ({ path: root, dispose } = await freshFolder('process'));
  host = hostIn(root);
  runtime = await startRuntime(host, home());
});
afterEach(async () => {
  for (const name of await readdir(path.join(host.stateFolder, 'deployments')).catch(() => []))
    await runtime.deleteDeployment(name);
  for (const id of await readdir(path.join(host.stateFolder, 'jobs')).catch(() => [])) await runtime.deleteJob(id);
  await runtime.detach();
  await dispose();
});

/** A deployment with its own server (`node` is on PATH), which answers with its pid. */
function server(body: string, more: Partial<DeploymentSpecBody> = {}): DeploymentSpecBody {
  const code = `
    const http = require('http'); const port = Number(process.env.MODEL_PORT);
    http.createServer((request, response) => response.end(JSON.stringify({ pid: process.pid }))).listen(port, '127.0.0.1');
    ${body}`;
  return { container: { image: 'node', command: ['node', '-e', code, '--', '--port', '8000'] }, ...more };
}

async function pidAt(url: string | undefined): Promise<number> {
  const answer = (await (await fetch(`${url}/health`)).json()) as { pid: number };
  return answer.pid;
}

describe('deployments', () => {
  const observe = (name: string) => () => runtime.observeDeployment(name);

  test('two with the same port run side by side, and are deleted with their process groups', async () => {
    const withChild = server(`
      const child = require('child_process').spawn('sleep', ['1000']);
      process.on('SIGTERM', () => {}); console.log('child', child.pid);`);
    runtime.createDeployment({ name: 'one', spec: server('') });
    runtime.createDeployment({ name: 'two', spec: withChild });
    const [one, two] = await Promise.all([stateOf(observe('one'), 'Ready'), stateOf(observe('two'), 'Ready')]);
    expect(one.url).not.toBe(two.url);
    expect(one.readyReplicas).toBe(1);
    const pids = [await pidAt(one.url), await pidAt(two.url)];
    const log = await textOf(runtime.deploymentLog('two', { follow: false, signal: never }));
    pids.push(Number(/child (\d+)/.exec(log)?.[1]));
    expect(pids.every(isRunning)).toBe(true);

    await Promise.all([runtime.deleteDeployment('one'), runtime.deleteDeployment('two')]);
    expect(pids.filter(isRunning)).toEqual([]);
  });

  test('a crash is an Error with the exit code and the last log line', async () => {
    runtime.createDeployment({
      name: 'crash',
      spec: server(`setTimeout(() => { console.error('weights are broken'); process.exit(7); }, 300)`),
    });
    const seen = await stateOf(() => ({ ...runtime.observeDeployment('crash'), state: state('crash') }), 'over');
    // Without the platform's own lines, which are in the same log.
    expect(seen.message).toBe('The server ended by itself: exit code 7. Its last words: weights are broken');
    expect(seen.termination).toMatchObject({ exitCode: 7, reason: 'Error' });
    expect(seen.readyReplicas).toBe(0);
  });

  test('one killed by SIGKILL is an Error that says so', async () => {
    runtime.createDeployment({ name: 'oom', spec: server('') });
    const { url } = await stateOf(observe('oom'), 'Ready');
    process.kill(await pidAt(url), 'SIGKILL');
    const seen = await stateOf(() => ({ ...runtime.observeDeployment('oom'), state: state('oom') }), 'over');
    expect(seen.message).toContain('memory');
  });

  test('stop and start with their replicas, and restart', async () => {
    runtime.createDeployment({ name: 'scale', spec: server('') });
    const before = await pidAt((await stateOf(observe('scale'), 'Ready')).url);
    runtime.scaleDeployment('scale', 0);
    await stateOf(observe('scale'), 'Stopped');
    expect(isRunning(before)).toBe(false);
    runtime.scaleDeployment('scale', 1);
    const again = await pidAt((await stateOf(observe('scale'), 'Ready')).url);
    runtime.restartDeployment('scale');
    const last = await pidAt((await stateOf(observe('scale'), 'Ready')).url);
    expect(new Set([before, again, last]).size).toBe(3);
    expect(isRunning(again)).toBe(false);
  });

  test('keep running without the platform, are found again, and an end meanwhile is noticed', async () => {
    const deployments = ['lives', 'dies'].map((name) => ({ name, spec: server('') }));
    for (const deployment of deployments) runtime.createDeployment(deployment);
    const [lives, dies] = await Promise.all([stateOf(observe('lives'), 'Ready'), stateOf(observe('dies'), 'Ready')]);
    const [pid, doomed] = [await pidAt(lives.url), await pidAt(dies.url)];
    await runtime.detach();
    process.kill(doomed, 'SIGTERM');

    runtime = await startRuntime(host, home(), { deployments, jobs: [] });
    const again = await stateOf(observe('lives'), 'Ready');
    expect(again.url).toBe(lives.url);
    expect(await pidAt(again.url)).toBe(pid);
    const seen = await stateOf(() => ({ ...runtime.observeDeployment('dies'), state: state('dies') }), 'over');
    expect(seen.message).toContain('SIGTERM');
  });

  test('a server wrapped in a shell with pre_cmd runs if it is on this machine, with an event', async () => {
    const [, ...words] = server('').container?.command ?? [];
    const preCmd = 'export GREETING=hello; echo "pre: $GREETING"';
    const command = wrapCommand({ command: ['node', ...words], preCmd, runtime: [] });
    runtime.createDeployment({ name: 'wrapped', spec: { container: { image: 'any', command } } });
    const ready = await stateOf(observe('wrapped'), 'Ready');
    expect(await pidAt(ready.url)).toBeGreaterThan(0);
    const log = await textOf(runtime.deploymentLog('wrapped', { follow: false, signal: never }));
    expect(log).toContain('pre: hello');
    expect(log).toContain('node of this machine is run, with the shell lines around it (pre_cmd)');
    const notes = runtime.observeDeployment('wrapped').notes ?? [];
    expect(notes.map(({ reason }) => reason)).toEqual(['OwnServer', 'Limits']);
  });

  test('many at once get a port each, and keep it across a restart of the platform', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `many-${i}`);
    const deployments = names.map((name) => ({ name, spec: server('') }));
    for (const deployment of deployments) runtime.createDeployment(deployment);
    const urls = async (): Promise<(string | undefined)[]> =>
      (await Promise.all(names.map((name) => stateOf(observe(name), 'Ready')))).map(({ url }) => url);
    const before = await urls();
    expect(new Set(before).size).toBe(names.length);
    const pids = await Promise.all(before.map(pidAt));
    expect(new Set(pids).size).toBe(names.length);

    await runtime.detach();
    runtime = await startRuntime(host, home(), { deployments, jobs: [] });
    expect(await urls()).toEqual(before);
    runtime.createDeployment({ name: 'later', spec: server('') });
    const later = await stateOf(observe('later'), 'Ready');
    expect(before).not.toContain(later.url);
    expect(pids).not.toContain(await pidAt(later.url));
  });

  test('a fixed port that is taken is an Error, and another server’s response is not used', async () => {
    runtime.createDeployment({ name: 'first', spec: server('') });
    const port = Number(new URL((await stateOf(observe('first'), 'Ready')).url ?? '').port);
    const spec = { container: { image: 'any', command: ['node', '-e', ''], ports: [{ container_port: port }] } };
    runtime.createDeployment({ name: 'second', spec });
    const seen = await stateOf(() => ({ ...runtime.observeDeployment('second'), state: state('second') }), 'over');
    expect(seen.message).toContain(`Port ${port} of this machine is taken`);
  });

  test('a server that became a daemon is found and ended, even after a restart of the platform', async () => {
    // It leaves its group, session, parent and output, and writes its pid to a file.
    const daemon = (name: string): DeploymentSpecBody => ({
      container: {
        image: 'any',
        command: [
          'setsid',
          ...['bash', '-c', `(setsid sleep 1000 >/dev/null 2>&1 & echo $! >"${root}/${name}"); exec node -e "$0"`],
          `require('http').createServer((q, a) => a.end('{}')).listen(Number(process.env.PORT), '127.0.0.1')`,
        ],
      },
    });
    const names = ['here', 'anew', 'orphan'];
    for (const name of names) runtime.createDeployment({ name, spec: daemon(name) });
    for (const name of names) await stateOf(observe(name), 'Ready');
    const pids = await Promise.all(names.map(async (name) => Number(await readFile(path.join(root, name), 'utf8'))));
    expect(pids.map(isRunning)).toEqual([true, true, true]);
    await runtime.deleteDeployment('here');
    expect(pids.map(isRunning)).toEqual([false, true, true]);

    await runtime.detach();
    const supervisor = (await readdir(path.join(host.stateFolder, 'deployments', 'orphan'))).find((entry) =>
      entry.startsWith('unit-'),
    );
    const pidFile = path.join(host.stateFolder, 'deployments', 'orphan', supervisor ?? '', 'pid');
    process.kill(Number(await readFile(pidFile, 'utf8')), 'SIGKILL');
    const deployments = ['anew', 'orphan'].map((name) => ({ name, spec: daemon(name) }));
    runtime = await startRuntime(host, home(), { deployments, jobs: [] });
    const orphan = await stateOf(() => ({ ...runtime.observeDeployment('orphan'), state: state('orphan') }), 'over');
    expect(orphan.termination).toMatchObject({ exitCode: 137 });
    await eventually(() => !isRunning(pids[2] ?? 0));
    expect(isRunning(pids[1] ?? 0)).toBe(true);
    await runtime.deleteDeployment('anew');
    expect(pids.map(isRunning)).toEqual([false, false, false]);
  });

  test('a model that is not available is an Error that says what can be served', async () => {
    const command = ['no-such-server', 'serve', '/models/llama.bin'];
    runtime.createDeployment({ name: 'missing', spec: { container: { command } } });
    const seen = await stateOf(() => ({ ...runtime.observeDeployment('missing'), state: state('missing') }), 'over');
    expect(seen.message).toContain('/models/llama.bin');
    expect(seen.message).toContain('HuggingFaceTB/SmolLM2-135M-Instruct');
  });

  test('a token that does not exist is an Error', async () => {
    const tokens = [{ value_from: { token_name_ref: 'NONE' } }];
    runtime.createDeployment({ name: 'token', spec: server('', { api_tokens: tokens }) });
    const seen = await stateOf(() => ({ ...runtime.observeDeployment('token'), state: state('token') }), 'over');
    expect(seen.message).toContain('"NONE"');
  });

  const state = (name: string): string => (runtime.observeDeployment(name).state === 'Error' ? 'over' : 'going on');
});

describe('jobs', () => {
  const observe = (id: string) => () => runtime.observeJob(id);
  const over = (id: string) => () => {
    const seen = runtime.observeJob(id);
    return {
      ...seen,
      state: ['Completed', 'Failed', 'Stopped'].includes(seen.state) ? 'over' : 'going on',
      verdict: seen.state,
    };
  };
  const create = (id: string, spec = script('true')) => runtime.createJob({ id, name: id, spec });

  test('run the command with its variables, secrets and mounts', async () => {
    const spec = script('echo "$TEXT $SECRET $(pwd)"; echo done > "$OUT/file"; echo héllo', {
      envs: [
        { name: 'TEXT', value: 'text' },
        { name: 'SECRET', value_from: { secret_name_ref: 'KEY' } },
        { name: 'OUT', value: '/workspace/out' },
      ],
      mounts: [{ path: '/runs/x', from: 'node-nfs:fs', mount_path: '/workspace' }],
    });
    const folder = await host.mountFolder({ from: 'node-nfs:fs', path: '/runs/x/out' });
    create('mounts', spec);
    const seen = await stateOf(over('mounts'), 'over');
    expect(seen).toMatchObject({ verdict: 'Completed', message: undefined });
    expect(seen.completedAt).toBeGreaterThan(Date.now() - 60_000);
    expect(await readFile(path.join(folder, 'file'), 'utf8')).toBe('done\n');
    expect(await textOf(runtime.jobLog('mounts', { follow: true, signal: never }))).toContain('text s3cret');
  });

  test('a failed job reports its exit code and last line', async () => {
    create('fails', script('echo first; echo "CUDA out of memory"; exit 3'));
    const seen = await stateOf(over('fails'), 'over');
    expect(seen).toMatchObject({ verdict: 'Failed', message: 'exit code 3: CUDA out of memory' });
  });

  test('stopping gives the command time to write a marker, and leaves no process', async () => {
    create('stops', script('trap "echo marker; exit 0" TERM; sleep 1000 & echo pid $!; echo ready; wait'));
    const log = runtime.jobLog('stops', { follow: true, signal: never })[Symbol.asyncIterator]();
    await stateOf(observe('stops'), 'Running');
    let text = '';
    while (!text.includes('ready')) text += Buffer.from((await log.next()).value as Uint8Array).toString();
    const child = Number(/pid (\d+)/.exec(text)?.[1]);
    expect(isRunning(child)).toBe(true);
    await runtime.stopJob('stops');
    expect(runtime.observeJob('stops').state).toBe('Stopped');
    expect(isRunning(child)).toBe(false);
    let rest = await log.next();
    for (; !rest.done; rest = await log.next()) text += Buffer.from(rest.value).toString();
    expect(text).toContain('marker');
  });

  test('an end while the platform was down is reported after its restart', async () => {
    const jobs = ['ends', 'goes-on'].map((id) => ({
      id,
      name: id,
      spec: script(id === 'ends' ? `until test -e ${root}/go; do sleep 0.1; done; exit 5` : 'sleep 1000'),
    }));
    for (const job of jobs) runtime.createJob(job);
    await Promise.all(jobs.map(({ id }) => stateOf(observe(id), 'Running')));
    await runtime.detach();
    await writeFile(path.join(root, 'go'), '');
    await eventually(() => existsSync(path.join(host.stateFolder, 'jobs', 'ends', 'unit', 'exit')));
    runtime = await startRuntime(host, home(), { deployments: [], jobs });
    expect(await stateOf(over('ends'), 'over')).toMatchObject({ verdict: 'Failed', message: 'exit code 5' });
    await stateOf(observe('goes-on'), 'Running');
    await runtime.stopJob('goes-on');
    await runtime.detach();
    runtime = await startRuntime(host, home(), { deployments: [], jobs });
    expect([runtime.observeJob('ends').state, runtime.observeJob('goes-on').state]).toEqual(['Failed', 'Stopped']);
  });

  test('an image with an unsupported harness and a missing secret fail with the reason', async () => {
    create('image', { container: { image: 'nvcr.io/nvidia/eval-factory/simple-evals:26.03', command: ['true'] } });
    create('secret', script('true', { envs: [{ name: 'A', value_from: { secret_name_ref: 'NONE' } }] }));
    expect((await stateOf(over('image'), 'over')).message).toContain('simple-evals');
    expect((await stateOf(over('secret'), 'over')).message).toContain('"NONE"');
  });

  test('processes that a finished command left running are killed', async () => {
    create('daemon', script('sleep 1000 & echo pid $!'));
    await stateOf(over('daemon'), 'over');
    const log = await textOf(runtime.jobLog('daemon', { follow: false, signal: never }));
    expect(isRunning(Number(/pid (\d+)/.exec(log)?.[1]))).toBe(false);
  });
});
