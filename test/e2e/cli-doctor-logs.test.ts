import { spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import {
  commandBench,
  pauseSweeps,
  program,
  runConfig,
  setFaults,
  until,
  type CommandBench,
  type LeptonStandIn,
} from '../support/command';
import { connectProxy } from '../support/connect-proxy';
import { emptyInventory } from '../support/simulated';
import { certificateFile, tlsGateway } from '../support/tls-gateway';

/** `doctor`, the checks of `start`, `logs` from every source, and a whole run over TLS through a proxy. */

let bench: CommandBench;
beforeAll(async () => {
  bench = await commandBench('doctor-logs');
});
afterAll(() => bench.dispose());

const jobsNeed = (name: string) => [
  '-o',
  `+execution.lepton_platform.tasks.env_vars={A: {value_from: {secret_name_ref: ${name}}}}`,
];

test('doctor exits 0 when all checks pass, 2 for a wrong name in the config, 3 for a problem outside it, such as a rejected token', async () => {
  const { env } = await bench.lepton();
  const fine = await bench.run(['doctor', bench.config], env);
  expect([fine.code, fine.stdout]).toEqual([0, expect.stringMatching(/^ok +config: .*3 tasks for org\/model\n/)]);

  const missing = await bench.run(['doctor', bench.config, '--json', ...jobsNeed('NOWHERE')], env);
  expect(missing.code).toBe(2);
  const document = JSON.parse(missing.stdout) as { ok: boolean; checks: { about: string; level: string }[] };
  expect(document.ok).toBe(false);
  expect(document.checks.filter(({ level }) => level === 'FAIL')).toMatchObject([{ about: 'secret' }]);

  const broken = path.join(bench.folder, 'broken.yaml');
  await writeFile(broken, stringify(runConfig({ evaluation: { tasks: [{ name: 'helaswag' }] } })));
  const wrong = await bench.run(['doctor', broken], env);
  expect([wrong.code, wrong.stdout]).toEqual([2, expect.stringMatching(/FAIL config: .*helaswag/)]);
  expect(wrong.stdout).toMatch(/ok +credentials/);

  const refused = await bench.run(['doctor', bench.config], { ...env, LEPTON_WORKSPACE_TOKEN: 'wrong' });
  expect([refused.code, refused.stdout]).toEqual([3, expect.stringMatching(/FAIL credentials: .*401/)]);
});

test('start exits 2 and creates nothing when the workspace lacks a secret that the config names', async () => {
  const lepton = await bench.lepton();
  const { code, stderr } = await bench.run(['start', bench.config, ...jobsNeed('NOWHERE')], lepton.env);
  expect([code, stderr]).toEqual([2, expect.stringMatching(/nothing was created[^]*no secret "NOWHERE"/)]);
  expect((await lepton.requests()).filter(({ method }) => method === 'POST')).toEqual([]);
});

test('logs -f resumes after connection losses and ends with the job', async () => {
  const lepton = await bench.lepton({
    jobs: {
      default: {
        states: [['Running', '5s'], ['Running', '5s'], ['Completed']],
      },
    },
    faults: [{ on: 'POST /jobs', times: 'inf', respond: 503 }],
  });
  const started = await bench.run(['start', bench.config, '-t', 'hellaswag', '--detach', '--json'], lepton.env);
  const { invocation } = JSON.parse(started.stdout) as { invocation: string };
  const following = bench.start(['logs', `${invocation}.0`, '-f'], lepton.env);
  await following.untilStderr(/no job log yet/);
  await setFaults(lepton, [{ on: 'GET /jobs/*/replicas/*/log', times: 2, respond: 'drop' }]);
  const followed = await following.finished;
  expect(followed.code).toBe(0);
  expect(followed.stderr).toMatch(/the log was cut off .*reading on/);
  expect(followed.stdout.match(/ Running$/gm)).toHaveLength(2);
  expect(followed.stdout).toMatch(/ Completed\n$/);
});

test('logs --since of a running job prints only lines after the given time', async () => {
  const lepton = await bench.lepton({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
  const started = await bench.run(['start', bench.config, '-t', 'hellaswag', '--detach', '--json'], lepton.env);
  const { invocation } = JSON.parse(started.stdout) as { invocation: string };
  await until('the job runs', async () => (await lepton.inventory()).jobs.length > 0);
  const all = await bench.run(['logs', invocation, '--since', '1h'], lepton.env);
  expect([all.code, all.stdout]).toEqual([0, expect.stringMatching(/ Running\n$/)]);
  const later = await bench.run(
    ['logs', invocation, '--since', new Date(Date.now() + 60_000).toISOString()],
    lepton.env,
  );
  expect([later.code, later.stdout]).toEqual([0, '']);
  // Without the worker's questions about progress, which have a text to look for.
  const asked = (await lepton.requests()).filter(({ path: route }) => /^\/logs\?.*&q=(&|$)/.test(route));
  expect(asked.map(({ status }) => status)).toEqual([200, 200]);
  await bench.run(['cancel', invocation], lepton.env);
});

describe('logs of a finished run', () => {
  let lepton: LeptonStandIn;
  let invocation: string;
  let folder: string;
  const log = (...args: string[]) => bench.run(['logs', `${invocation}.0`, ...args], lepton.env);

  beforeAll(async () => {
    const states = [['Running', '2s'], ['Completed']];
    // Deleting the job is refused, so it outlives the run until its TTL (1 s) expires. Then only the platform's archive has it.
    const faults = [{ on: 'DELETE /jobs/*', times: 'inf', respond: 403 }];
    lepton = await bench.lepton({ jobs: { default: { states, log: 'naïve 李明 😀' } }, faults });
    const limits = ['teardown_timeout=5', 'evaluation_tasks.ttl_after_finished=1'].flatMap((limit) => [
      '-o',
      `++execution.${limit}`,
    ]);
    const run = await bench.run(['start', bench.config, '-t', 'hellaswag', '--json', ...limits], lepton.env);
    expect(run.code).toBe(5);
    const document = JSON.parse(run.stdout) as { invocation: string; tasks: { outputDir: string }[] };
    invocation = document.invocation;
    folder = path.join(document.tasks[0]?.outputDir ?? '', 'logs');
  });

  test('are found through the history when the plan kept here is damaged, and the damage is said', async () => {
    const file = path.join(bench.home.runs, invocation, 'plan.json');
    const plan = await readFile(file, 'utf8');
    await writeFile(file, plan.slice(0, 100));
    try {
      const { code, stdout, stderr } = await log();
      expect([code, stdout]).toEqual([0, expect.stringContaining('naïve 李明 😀')]);
      expect(stderr).toMatch(/plan\.json is damaged/);
    } finally {
      await writeFile(file, plan);
    }
  });

  test('come from the saved file, also with --since, and even when Temporal is unreachable', async () => {
    await pauseSweeps(bench);
    const asked = (await lepton.requests()).length;
    const all = await log();
    expect([all.code, all.stdout]).toEqual([0, expect.stringMatching(/ Running\n.* Completed\nnaïve 李明 😀\n$/)]);
    const completedAt = Date.parse(/^(\S+) \S+ Completed$/m.exec(all.stdout)?.[1] ?? '');
    const late = await log('--since', new Date(completedAt - 500).toISOString());
    expect(late.stdout).toMatch(/^\S+ \S+ Completed\nnaïve 李明 😀\n$/);
    expect((await log('--since', new Date(completedAt + 60_000).toISOString())).stdout).toBe('');
    const away = await bench.run(['logs', `${invocation.slice(0, 8)}.0`, '-f'], {
      ...lepton.env,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
    });
    expect(away).toMatchObject({ code: 0, stdout: all.stdout, stderr: expect.stringContaining('Temporal') });
    expect((await lepton.requests()).length).toBe(asked);
  });

  test('of 50 MB: a closed pipe ends the command silently (exit 0), a full disk ends it with an error (exit 3)', async () => {
    const file = path.join(folder, 'job.log');
    const saved = await readFile(file);
    await writeFile(file, `first line\n${'李明 '.repeat(7_500_000)}`);
    const shell = (rest: string) =>
      spawn(
        'bash',
        ['-c', `"$0" "$1" logs ${invocation}.0 ${rest}; echo "\${PIPESTATUS[0]}"`, process.execPath, program],
        {
          env: bench.env,
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
    const heard = async ({ stdout, stderr }: ReturnType<typeof shell>) =>
      Promise.all([stdout, stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString()));
    expect(await heard(shell('| head -1'))).toEqual(['first line\n0\n', '']);
    expect(await heard(shell('> /dev/full'))).toEqual(['3\n', expect.stringMatching(/^error: .*ENOSPC.*\n$/)]);
    await writeFile(file, saved);
  });

  test('are read from the platform when the saved file is gone; if that has none either, the error says where the file should be', async () => {
    const saved = await log();
    await rm(folder, { recursive: true });
    await until('the job is archived', async () => (await lepton.inventory()).jobs.length === 0);
    expect(await log()).toMatchObject({ code: 0, stdout: saved.stdout });
    const lost = await log('--endpoint');
    expect([lost.code, lost.stdout]).toEqual([3, '']);
    expect(lost.stderr).toContain(`neither in ${folder} on this host nor on the platform`);
    await lepton.close();
    const away = await log();
    expect([away.code, away.stdout]).toEqual([3, '']);
    expect(away.stderr).toMatch(/ECONNREFUSED|refused/);
    expect(away.stderr).not.toMatch(/^\s+at /m);
  });
});

test('start, doctor, results and teardown work over TLS through a proxy, with a custom CA certificate', async () => {
  const lepton = await bench.lepton();
  const gateway = await tlsGateway(new URL(lepton.url).origin);
  const proxy = await connectProxy(gateway.port);
  const env = {
    ...lepton.env,
    LEPTON_WORKSPACE_URL: `https://gateway.lepton.test${new URL(lepton.url).pathname}`,
    HTTPS_PROXY: proxy.url,
    NODE_EXTRA_CA_CERTS: certificateFile,
  };
  try {
    const untrusted = await bench.run(['start', bench.config], { ...env, NODE_EXTRA_CA_CERTS: '' });
    expect([untrusted.code, untrusted.stderr]).toEqual([3, expect.stringContaining('NODE_EXTRA_CA_CERTS')]);
    expect(await bench.run(['doctor', bench.config], env)).toMatchObject({ code: 0 });
    const run = await bench.run(['start', bench.config, '-t', 'hellaswag', '--json'], env);
    expect({ code: run.code, stderr: run.stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/without the proxy/),
    });
    const [task] = (JSON.parse(run.stdout) as { tasks: { outputDir: string }[] }).tasks;
    expect(await readFile(path.join(task?.outputDir ?? '', 'results.yml'), 'utf8')).toContain('results');
    expect(await lepton.inventory()).toEqual(emptyInventory);
    const probes = gateway.seen
      .filter(({ host }) => host.startsWith('ep-'))
      .map(({ method, url }) => `${method} ${url}`);
    expect(probes.join('\n')).toMatch(/GET .*\/v1\/models\n(.*\n)*POST .*\/v1\/(chat\/)?completions/);
    expect(gateway.seen.some(({ method, url }) => method === 'DELETE' && url.includes('/deployments/'))).toBe(true);
  } finally {
    await proxy.close();
    await gateway.close();
  }
});
