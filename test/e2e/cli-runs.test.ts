import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { readRecord } from '../../src/stack/record';
import { Ledger } from '../chaos/ledger';
import { openTemporalGateway } from '../chaos/temporal-gateway';
import { commandBench, createdDeployments, setFaults, testHome, until, type CommandBench } from '../support/command';
import { emptyInventory, type SimulatedPlan } from '../support/simulated';

let bench: CommandBench;
beforeAll(async () => (bench = await commandBench('runs')));
afterAll(() => bench.dispose());

/** Jobs that run until they are cancelled. */
const longJobs: SimulatedPlan = { jobs: { default: { states: [['Running', '10m'], ['Completed']] } } };

const startedId = /run ([0-9a-f]{16}) started/;

describe('a run', () => {
  test('that succeeds exits 0 with one JSON document, results saved, and nothing left on the platform', async () => {
    const platform = await bench.lepton();
    const labels = ['--name', 'nightly', '--tag', 'team=search'];
    const { code, stdout, stderr } = await bench.run(['start', bench.config, '--json', ...labels], platform.env);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr.split('\n')[0]).toContain('platform: Lepton workspace');
    // The table, `status` and the JSON documents say so, too.
    expect(stderr).toContain('this platform is simulated');
    const document = JSON.parse(stdout);
    expect(Object.keys(document)).toEqual([
      ...['invocation', 'status', 'phase', 'cancelRequested', 'platform', 'simulated', 'model'],
      ...[
        'name',
        'tags',
        'webUi',
        'startedAt',
        'endedAt',
        'outputDir',
        'tasks',
        'error',
        'usefulShare',
        'findings',
        'teardown',
      ],
    ]);
    expect(document).toMatchObject({
      status: 'succeeded',
      phase: 'done',
      cancelRequested: false,
      platform: 'lepton',
      simulated: true,
      model: 'org/model',
      outputDir: path.join(bench.folder, 'results', document.invocation),
      error: null,
      teardown: { left: [], kept: [] },
    });
    expect(Date.parse(document.endedAt)).toBeGreaterThan(Date.parse(document.startedAt));
    expect(await (await fetch(document.webUi)).text()).toContain('<');
    for (const task of document.tasks) {
      expect(task).toMatchObject({ status: 'succeeded', error: null });
      expect(Object.keys(task.metrics).length).toBeGreaterThan(0);
      expect((await stat(path.join(task.outputDir, 'results.yml'))).isFile()).toBe(true);
    }
    expect(await createdDeployments(platform)).toBe(3);
    expect(await platform.inventory()).toEqual(emptyInventory);

    const id = document.invocation.slice(0, 12);
    const results = await bench.run(['results', id, '--json']);
    expect(JSON.parse(results.stdout)).toEqual(document);
    const status = await bench.run(['status', id]);
    expect(status).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`run ${document.invocation} (nightly): succeeded`),
    });
    expect(status.stdout).toContain('on a simulated platform');
    expect(status.stdout).toContain('these scores are made up');
    expect(JSON.parse(await readFile(path.join(document.outputDir, 'run.json'), 'utf8'))).toMatchObject({
      simulated: true,
    });
    const logs = await bench.run(['logs', id]);
    expect(logs.code).toBe(0);
    for (const name of ['0 hellaswag', '1 arc_challenge', '2 winogrande']) expect(logs.stdout).toContain(`[${name}] `);
    expect((await bench.run(['logs', `${id}.0`, '--endpoint'])).stdout).toContain('Ready');
    expect((await bench.run(['ls', 'runs'])).stdout).toContain(document.invocation);
    // Its name, or the beginning of it, stands for its id; lists are narrowed by name, tags and status.
    const named = await bench.run(['status', 'night', '--json']);
    expect(JSON.parse(named.stdout)).toMatchObject({ invocation: document.invocation });
    const filters = ['--name', 'nightly', '--tag', 'team=search', '--since', '1h'];
    const listed = await bench.run(['ls', 'runs', '--json', ...filters]);
    expect(JSON.parse(listed.stdout)).toEqual([
      expect.objectContaining({ invocation: document.invocation, name: 'nightly', tags: ['team=search'] }),
    ]);
    expect((await bench.run(['ls', 'runs', '--tag', 'team=other'])).stdout).toContain('no run fits');
    // Cancelling a finished run does nothing, and says so.
    const late = await bench.run(['cancel', id]);
    expect(late).toMatchObject({ code: 0, stderr: expect.stringContaining('over already (succeeded)') });
  });

  test('with a failed task exits 1 and prints the reason without control characters', async () => {
    const platform = await bench.lepton({
      jobs: {
        match: [
          {
            name: '*arc*',
            states: [['Running', '300ms'], ['Failed']],
            log: 'CUDA \u001b[31mout of memory\u001b[0m \u0007',
          },
        ],
      },
    });
    const { code, stdout, stderr } = await bench.run(['start', bench.config], platform.env);
    expect(code).toBe(1);
    expect(stderr).toContain('CUDA out of memory');
    expect(stdout + stderr).not.toMatch(/[\u001b\u0007]/);
    expect(stdout).toContain('hellaswag');
    expect(await platform.inventory()).toEqual(emptyInventory);
    const id = startedId.exec(stderr)?.[1] ?? '';
    expect((await bench.run(['logs', `${id}.1`, '--tail', '1'])).stdout).not.toContain('\u001b');
  });

  test('whose teardown is incomplete exits 5 and names what is left', async () => {
    const platform = await bench.lepton({
      faults: [{ on: 'DELETE /deployments/*', name: '*wino*', times: 'inf', respond: 403 }],
    });
    const args = ['start', bench.config, '--json', '-o', '++execution.teardown_timeout=12', '-t', 'winogrande'];
    const { code, stdout, stderr } = await bench.run(args, platform.env);
    expect(code).toBe(5);
    const { teardown, invocation } = JSON.parse(stdout);
    expect(teardown.left).toEqual([
      { kind: 'endpoint', name: expect.stringContaining('wino'), reason: expect.stringContaining('403') },
    ]);
    expect(stderr).toContain(`cleanup ${invocation}`);
  });
});

test('logs --follow waits until the job or endpoint exists, and reads its log to the end', async () => {
  const platform = await bench.lepton({
    jobs: { default: { states: [['Running', '4s'], ['Completed']] } },
    faults: [{ on: 'POST /deployments', respond: 503, times: 'inf' }],
  });
  const command = bench.start(['start', bench.config, '-t', 'hellaswag'], platform.env);
  const [, id = ''] = await command.untilStderr(startedId);
  const following = [[], ['--endpoint']].map((kind) => bench.start(['logs', id, '--follow', ...kind], platform.env));
  await Promise.all(following.map((logs) => logs.untilStderr(/no (job|endpoint) log yet/)));
  await setFaults(platform, []);
  const [logs, endpoint] = await Promise.all(following.map(({ finished }) => finished));
  expect(logs).toMatchObject({ code: 0, stdout: expect.stringContaining('Running') });
  expect(endpoint).toMatchObject({ code: 0, stderr: expect.stringContaining('no endpoint log yet') });
  expect(endpoint?.stdout).toMatch(/ Starting\n.* Ready\n$/);
  expect((await command.finished).code).toBe(0);
});

describe('Ctrl-C while attached', () => {
  test('cancels the run and waits for its teardown (exit 4)', async () => {
    const platform = await bench.lepton(longJobs);
    const command = bench.start(['start', bench.config, '--json'], platform.env);
    await command.untilStderr(/running job/);
    command.signal('SIGINT');
    const { code, stdout } = await command.finished;
    expect(code).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'cancelled', teardown: { left: [] } });
    expect(await platform.inventory()).toEqual(emptyInventory);
  });

  test('twice detaches (exit 130) while teardown continues', async () => {
    const platform = await bench.lepton({
      ...longJobs,
      faults: [{ on: 'DELETE /deployments/*', delay: '8s', times: 6 }],
    });
    const command = bench.start(['start', bench.config], platform.env);
    const [, id = ''] = await command.untilStderr(startedId);
    await command.untilStderr(/running job/);
    command.signal('SIGINT');
    await command.untilStderr(/tearing down/);
    command.signal('SIGINT');
    const { code, stderr } = await command.finished;
    expect(code).toBe(130);
    expect(stderr).toContain(`status ${id}`);
    const second = await bench.run(['cancel', id]);
    // On a busy machine everything may be torn down before this command has started.
    const said: unknown = expect.stringMatching(/is under way already|is over already \(cancelled\)/);
    expect(second).toMatchObject({ code: 0, stderr: said });
    expect(await platform.inventory()).toEqual(emptyInventory);
  });

  test('before the run has started creates nothing (exit 130)', async () => {
    const platform = await bench.lepton({ faults: [{ on: 'GET /workspace', delay: '10s', times: 1 }] });
    const command = bench.start(['start', bench.config], platform.env);
    await command.untilStderr(/platform:/);
    command.signal('SIGINT');
    expect(await command.finished).toMatchObject({ code: 130, stderr: expect.stringContaining('nothing was created') });
    expect(await createdDeployments(platform)).toBe(0);
  });
});

test('Ctrl-C while the start request is in flight cancels the run once it has started (exit 4)', async () => {
  const platform = await bench.lepton(longJobs);
  await bench.run(['up']);
  const target = `127.0.0.1:${(await readRecord(bench.home, 'temporal'))?.ports['grpc']}`;
  const ledger = new Ledger();
  const gateway = await openTemporalGateway({
    target,
    side: 'client',
    watched: { ledger, names: { invocation: undefined } },
  });
  const other = await testHome('beginning');
  try {
    const env = { ...platform.env, TEMPORAL_ADDRESS: gateway.address, EVALSAGA_TASK_QUEUE: 'beginning' };
    const beginning = new Promise<void>((resolve) =>
      ledger.interfere(({ method }, forward) => {
        if (method !== 'StartWorkflowExecution') return undefined;
        resolve();
        return command.untilStderr(/is just starting/).then(forward);
      }),
    );
    const command = other.start(['start', bench.config, '--json'], env);
    await beginning;
    command.signal('SIGINT');
    const { code, stdout } = await command.finished;
    expect(code).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ status: 'cancelled', teardown: { left: [] } });
    expect(await platform.inventory()).toEqual(emptyInventory);
  } finally {
    await other.dispose();
    await gateway.close();
  }
});

describe('the run outlives', () => {
  test('kill -9 of the command; one task, then the run is cancelled by id', async () => {
    const platform = await bench.lepton(longJobs);
    const command = bench.start(['start', bench.config], platform.env);
    const [, id = ''] = await command.untilStderr(startedId);
    await command.untilStderr(/running job/);
    command.signal('SIGKILL');
    await command.finished;
    const status = await bench.run(['status', id.slice(0, 10), '--json']);
    expect(JSON.parse(status.stdout)).toMatchObject({ invocation: id, status: 'running' });
    expect((await bench.run(['logs', `${id}.2`])).stdout).toContain('Running');

    await setFaults(platform, [{ on: 'DELETE /deployments/*', times: 'inf', respond: 503 }]);
    await bench.run(['cancel', `${id}.1`, '--no-wait']);
    const again = bench.start(['cancel', `${id}.1`], {});
    await again.untilStderr(/a cancel of task .*\.1 is under way already/);
    await setFaults(platform, []);
    expect((await again.finished).code).toBe(0);
    const over = await bench.run(['cancel', `${id}.1`]);
    expect(over.stderr).toContain('is over already (cancelled)');
    const { deployments } = await platform.inventory();
    expect(deployments).toHaveLength(2);
    const cancelled = await bench.run(['cancel', id, '--json']);
    expect(cancelled.code).toBe(0);
    expect(JSON.parse(cancelled.stdout)).toMatchObject({ status: 'cancelled' });
    expect(await platform.inventory()).toEqual(emptyInventory);
    expect(await createdDeployments(platform)).toBe(3);
  });

  test('a hanging worker and its kill -9: `status` shows what Temporal knows, `up` restarts the worker, no second endpoint is created', async () => {
    const platform = await bench.lepton({ jobs: { default: { states: [['Running', '15s'], ['Completed']] } } });
    const command = bench.start(['start', bench.config, '--json'], platform.env);
    const [, id = ''] = await command.untilStderr(startedId);
    await command.untilStderr(/running job/);
    const worker = await bench.pidOf('worker');
    process.kill(worker, 'SIGSTOP');
    expect(await bench.run(['status', id])).toMatchObject({
      stdout: expect.stringContaining('running job'),
      stderr: expect.stringMatching(/worker does not answer, so this is what Temporal itself knows[^]*down --force/),
    });
    process.kill(worker, 'SIGKILL');
    await command.untilStderr(/"worker" has ended/);
    expect(await bench.run(['status', id])).toMatchObject({
      stdout: expect.stringContaining('running job'),
      stderr: expect.stringContaining('the background worker has ended'),
    });
    expect(await bench.run(['up'], platform.env)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('started: worker'),
    });
    const { code, stdout } = await command.finished;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ invocation: id, status: 'succeeded' });
    expect(await createdDeployments(platform)).toBe(3);
    expect(await platform.inventory()).toEqual(emptyInventory);
  });

  test('kill -9 of the Temporal server: `up` restarts it with its database', async () => {
    const platform = await bench.lepton({
      jobs: { default: { states: [['Running', '12s'], ['Completed']] } },
      faults: [{ on: 'POST /jobs', times: 'inf', respond: 503 }],
    });
    const command = bench.start(['start', bench.config], platform.env);
    const [, id = ''] = await command.untilStderr(startedId);
    const logs = bench.start(['logs', `${id}.0`, '-f'], platform.env);
    await logs.untilStderr(/no job log yet/);
    await setFaults(platform, []);
    await Promise.all([command.untilStderr(/running job/), logs.untilStdout(/ Running\n/)]);
    process.kill(await bench.pidOf('temporal'), 'SIGKILL');
    await command.untilStderr(/Temporal does not answer/);
    expect((await bench.run(['up'], platform.env)).stderr).toContain('started: temporal');
    expect((await command.finished).code).toBe(0);
    expect(await logs.finished).toMatchObject({ code: 0, stdout: expect.stringMatching(/ Running\n.* Completed\n$/) });
    expect(await createdDeployments(platform)).toBe(3);
    expect(await platform.inventory()).toEqual(emptyInventory);
  });

  test('a command with --detach, and `down` is refused until the run is over', async () => {
    const platform = await bench.lepton(longJobs);
    const { code, stdout } = await bench.run(['start', bench.config, '--detach', '--json'], platform.env);
    expect(code).toBe(0);
    const { invocation, status } = JSON.parse(stdout);
    expect(status).toBe('running');
    const down = await bench.run(['down']);
    expect(down).toMatchObject({ code: 2, stderr: expect.stringContaining(invocation) });
    expect((await bench.run(['cancel', invocation, '--no-wait'])).code).toBe(0);
    await until('the run is cancelled', async () =>
      (await bench.run(['status', invocation])).stdout.includes('cancelled;'),
    );
    expect(await platform.inventory()).toEqual(emptyInventory);
  });
});
