import { access, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { readRecord } from '../../src/stack/record';
import { commandBench, createdDeployments, runConfig, testHome, type CommandBench } from '../support/command';
import { startTemporal } from '../support/temporal';

/** Unusable homes, folders, addresses, proxies and tokens: reported before anything is created, without harming open runs. */

let bench: CommandBench;
beforeAll(async () => {
  bench = await commandBench('stack-faults');
});
afterAll(() => bench.dispose());

test('start stops what it has started when the Temporal server fails to start (exit 3)', async () => {
  const home = await testHome('no-server');
  try {
    const config = path.join(home.folder, 'run.yaml');
    await writeFile(config, stringify(runConfig()));
    const server = path.join(home.folder, 'temporal');
    const version = 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)';
    await writeFile(server, `#!/bin/sh\n[ "$1" = --version ] && echo '${version}' && exit\necho no luck; exit 1\n`, {
      mode: 0o755,
    });
    const { code, stderr } = await home.run(['start', config], { TEMPORAL_CLI_PATH: server });
    expect([code, stderr]).toEqual([3, expect.stringMatching(/stopping what was started just now: [^]*no luck/)]);
    const { services } = JSON.parse((await home.run(['status', '--json'])).stdout) as { services: { state: string }[] };
    expect(services.map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped']);
  } finally {
    await home.dispose();
  }
});

test.each(['start', 'status', 'up', 'ls'])(
  '%s with an unusable home exits 2 and names EVALSAGA_HOME',
  async (command) => {
    const file = path.join(bench.folder, 'a-file');
    await writeFile(file, '');
    for (const root of [file, '/dev/null/x']) {
      const args = command === 'start' ? ['start', bench.config] : [command];
      const { code, stderr } = await bench.run(args, { EVALSAGA_HOME: root });
      expect([code, stderr]).toEqual([2, expect.stringMatching(/home folder .* can't be used.*EVALSAGA_HOME/)]);
    }
  },
);

test.each([
  ['start', []],
  ['start', ['--dry-run']],
  ['doctor', []],
])('%s %j with an output_dir that is not writable exits 2, names it, and creates nothing', async (command, options) => {
  const platform = await bench.lepton();
  const file = path.join(bench.folder, 'taken');
  await writeFile(file, '');
  for (const folder of process.platform === 'linux' ? [file, '/proc/x'] : [file]) {
    const wish = ['-o', `execution.output_dir=${folder}`];
    const { code, stdout, stderr } = await bench.run([command, bench.config, ...wish, ...options], platform.env);
    expect([code, stdout + stderr]).toEqual([2, expect.stringContaining(`output_dir ${folder} can't be written`)]);
  }
  expect(await createdDeployments(platform)).toBe(0);
});

test('a token that is rejected at first is retried, and this is reported once', async () => {
  const platform = await bench.lepton({ faults: [{ on: 'GET /workspace', times: 2, respond: 401 }] });
  const env = { ...platform.env, EVALSAGA_REFUSAL_PATIENCE: '60', http_proxy: 'http://127.0.0.1:9' };
  const { code, stderr } = await bench.run(['start', bench.config, '--json'], env);
  expect([code, stderr.match(/refuses the token/g)]).toEqual([0, ['refuses the token']]);
  expect(stderr).not.toContain('lep login');
});

test('with open runs, another Temporal address is refused, their worker keeps running, and status names the address it serves', async () => {
  const platform = await bench.lepton({
    jobs: { match: [{ name: '*-hellaswag-*', states: [['Running', '1h'], ['Completed']] }] },
  });
  const begun = await bench.run(['start', bench.config, '-t', 'hellaswag', '--detach', '--json'], platform.env);
  const { invocation } = JSON.parse(begun.stdout) as { invocation: string };
  const worker = await bench.pidOf('worker');

  const unheard = await bench.run(['start', bench.config], { ...platform.env, TEMPORAL_ADDRESS: '127.0.0.1:1' });
  expect([unheard.code, unheard.stderr]).toEqual([3, expect.stringContaining('127.0.0.1:1')]);
  expect(await bench.pidOf('worker')).toBe(worker);

  const other = await startTemporal();
  try {
    const { address } = other;
    const refused = await bench.run(['start', bench.config], { ...platform.env, TEMPORAL_ADDRESS: address });
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(invocation)]);
    expect(refused.stderr).toContain('EVALSAGA_HOME');
    expect(await bench.pidOf('worker')).toBe(worker);

    const { stdout, stderr } = await bench.run(['status'], { TEMPORAL_ADDRESS: address });
    const serves = (await readRecord(bench.home, 'worker'))?.serves?.address ?? '';
    expect(stdout).toContain(`serves Temporal at ${serves}`);
    expect(stderr).toContain(`serves Temporal at ${serves}, namespace default, not ${address}`);

    // Once no run is open, the worker may switch to the other address.
    expect((await bench.run(['cancel', invocation], platform.env)).code).toBeLessThan(5);
    const env = { ...platform.env, TEMPORAL_ADDRESS: address };
    const over = await bench.run(['start', bench.config, '-t', 'winogrande'], env);
    expect([over.code, over.stderr]).toEqual([0, expect.stringContaining("use this machine's background worker")]);
    await access(path.join(bench.folder, 'results'));
    await bench.run(['down', '--force']);
  } finally {
    await other.teardown();
  }
});

test.each(['up', 'status', 'doctor'])(
  '%s with a damaged database says what is lost and how to recover',
  async (command) => {
    const home = await testHome('damaged');
    try {
      await writeFile(path.join(home.folder, 'x'), '');
      expect((await home.run(['status'])).code).toBe(0);
      await home.run(['up']);
      await home.run(['down']);
      await writeFile(home.home.temporalDatabase, 'no database at all, and rather long for one '.repeat(10));
      const { code, stdout, stderr } = await home.run([command]);
      expect(stdout + stderr).toMatch(
        /is damaged[^]*Lost with it[^]*mv '.*temporal\.db'[^]*sweep[^]*cleanup ID --force/,
      );
      expect(code).toBe(command === 'status' ? 0 : 3);
      expect(stdout + stderr).not.toContain('all is well');
    } finally {
      await home.dispose();
    }
  },
);
