import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { commandBench, createdDeployments, program, runConfig, type CommandBench } from '../support/command';

let bench: CommandBench;
beforeAll(async () => (bench = await commandBench('answers')));
afterAll(() => bench.dispose());

test('commands that find no home at the same moment all make it', async () => {
  const env = { EVALSAGA_HOME: path.join(bench.folder, 'fresh', 'home') };
  const ended = await Promise.all(Array.from({ length: 4 }, () => bench.run(['status', '--json'], env)));
  for (const { code, stdout } of ended) {
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ home: env.EVALSAGA_HOME });
  }
});

describe('nothing is created', () => {
  test('for an invalid config: exit code 2, and every problem is reported with its position', async () => {
    const platform = await bench.lepton();
    const broken = path.join(bench.folder, 'broken.yaml');
    writeFileSync(broken, stringify(runConfig({ execution: { output_dir: '???', ouput: 'x' } })));
    const { code, stdout, stderr } = await bench.run(['start', broken], platform.env);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/broken\.yaml:\d+:\d+: execution\.ouput/);
    expect(stderr).toContain('execution.output_dir');
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(await platform.requests()).toEqual([]);
  });

  test('for a missing config file with --json: stdout is a JSON document that lists the problems', async () => {
    const { code, stdout } = await bench.run(['start', 'nope.yaml', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { type: 'ConfigError', problems: [{ message: expect.any(String) }] },
    });
  });

  test.each([
    ['no config', ['start']],
    ['an unknown command', ['strat']],
    ['a malformed id', ['cancel', '3f2a.x']],
  ])('for %s: exit code 2', async (_case, args) => {
    expect(await bench.run(args)).toMatchObject({ code: 2, stdout: '' });
  });

  test('for a rejected token, an unreachable platform or missing credentials: exit code 3 and advice on what to do', async () => {
    const platform = await bench.lepton();
    const refused = await bench.run(['start', bench.config], {
      ...platform.env,
      LEPTON_WORKSPACE_TOKEN: 'wrong-token-value',
    });
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/401.*\n?.*lep login/s);
    expect(refused.stderr).not.toContain('wrong-token-value');
    expect((await platform.requests()).filter(({ method }) => method !== 'GET')).toEqual([]);
    await platform.close();
    expect(await bench.run(['start', bench.config], platform.env)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('Nothing was created'),
    });
    expect(await bench.run(['start', bench.config, '--platform', 'lepton'])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('lep login'),
    });
  });

  test('when Temporal is unreachable: exit code 3', async () => {
    const platform = await bench.lepton();
    const { code, stderr } = await bench.run(['start', bench.config], {
      ...platform.env,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
    });
    expect(code).toBe(3);
    expect(stderr).toContain('Temporal at 127.0.0.1:1 cannot be reached');
    expect(await createdDeployments(platform)).toBe(0);
  });

  test('by a dry run: it prints the specs that would be sent, with secrets masked', async () => {
    const platform = await bench.lepton();
    const env = { ...platform.env, MY_CANARY: 'canary-value-1234' };
    const override = ['-o', '+deployment.envs.HF_TOKEN=host:MY_CANARY'];
    const { code, stdout, stderr } = await bench.run(['start', bench.config, '--dry-run', '--json', ...override], env);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const { tasks } = JSON.parse(stdout);
    expect(tasks).toHaveLength(3);
    expect(tasks[0].endpoint.spec.container.command).toContain('org/model');
    expect(tasks[0].job.spec.container).toBeDefined();
    expect(stdout).toContain('HF_TOKEN');
    expect(stdout + stderr).not.toContain('canary-value-1234');
    expect(await platform.requests()).toEqual([]);
  });
});

describe('run ids', () => {
  test('an unknown id exits 3, a malformed one exits 2, with different messages', async () => {
    const unknown = await bench.run(['cancel', 'ffffffffffffffff']);
    const malformed = await bench.run(['cancel', 'zzz/1']);
    expect([unknown.code, malformed.code]).toEqual([3, 2]);
    expect(unknown.stderr).not.toBe(malformed.stderr);
  });
});

test('the platform command prints one JSON line, answers requests, and ends on SIGTERM with exit code 0', async () => {
  const command = bench.start([
    'platform',
    '--runtime',
    'simulated',
    '--port',
    '0',
    '--state',
    path.join(bench.folder, 'sim'),
  ]);
  await command.untilStderr(/answers/);
  const access = JSON.parse(readFileSync(path.join(bench.folder, 'sim', 'access.json'), 'utf8'));
  const answer = await fetch(`${access.url}/workspace`, { headers: { authorization: `Bearer ${access.token}` } });
  expect(answer.status).toBe(200);
  command.signal('SIGTERM');
  const { code, stdout } = await command.finished;
  expect(code).toBe(0);
  expect(stdout.trim().split('\n')).toHaveLength(1);
  expect(JSON.parse(stdout)).toEqual(access);
});

test('a command whose reader closes the pipe ends silently with exit code 0', async () => {
  const script = ['-c', `${process.execPath} "$0" ls tasks | head -1; echo "\${PIPESTATUS[0]}"`, program];
  const shell = spawn('bash', script, {
    env: { ...bench.env, LANG: 'C', LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await Promise.all(
    [shell.stdout, shell.stderr].map(async (stream) => Buffer.concat(await stream.toArray()).toString()),
  );
  expect(stderr).toBe('');
  expect(stdout?.trim().split('\n').at(-1)).toBe('0');
});
