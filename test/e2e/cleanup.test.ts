import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  commandBench,
  pauseSweeps,
  setFaults,
  temporalAddress,
  temporalOf,
  terminateAll,
  testHome,
  until,
  type CommandBench,
} from '../support/command';
import { emptyInventory } from '../support/simulated';

let bench: CommandBench;
beforeAll(async () => (bench = await commandBench('cleanup')));
afterAll(() => bench.dispose());

/** A 403 is permanent here, so a longer teardown timeout would only slow the tests down; what is not refused needs less. */
const impatient = ['-o', 'execution.teardown_timeout=12'];
const refused = (name: string): object => ({ on: `DELETE ${name}`, times: 'inf', respond: 403 });

test('cleanup finishes an incomplete teardown; status then shows nothing left or kept and an hourly cost of 0', async () => {
  const platform = await bench.lepton({
    faults: [
      refused('/deployments/*-0-*'),
      { on: 'GET /storage/**/1-*/{results.yml,.evalsaga_results.zip}', times: 'inf', respond: 403 },
    ],
  });
  const budget = 'execution.budget={limit: 100, prices: {gpu.1xh200: 7}}';
  const wanted = [...impatient, '-o', budget, '-t', 'hellaswag', '-t', 'arc_challenge'];
  const run = await bench.run(['start', bench.config, '--json', ...wanted], platform.env);
  const { invocation, teardown } = JSON.parse(run.stdout);
  expect({ code: run.code, left: teardown.left.length, kept: teardown.kept.length }).toEqual({
    code: 5,
    left: 1,
    kept: 1,
  });
  const told = async () => JSON.parse((await bench.run(['status', invocation, '--json'])).stdout);
  expect(JSON.parse(run.stdout).cost.perHour).toBe(7);
  expect((await platform.inventory()).deployments).toHaveLength(1);
  const still = await bench.run(['cleanup', invocation.slice(0, 8), '--json'], platform.env);
  expect(still.code).toBe(5);
  expect(JSON.parse(still.stdout).teardown.left).toEqual([
    { kind: 'endpoint', name: expect.any(String), reason: expect.stringContaining('403') },
  ]);
  await pauseSweeps(bench);
  // Transient failures at every step are retried within one cleanup command.
  await setFaults(platform, [
    { on: 'GET /deployments', times: 1, respond: 'drop' },
    { on: 'GET /jobs', times: 1, respond: 429, retry_after: 1 },
    { on: 'DELETE /deployments/*', times: 2, respond: 503 },
    { on: 'GET /storage/**/1-*/{results.yml,.evalsaga_results.zip}', times: 1, respond: 500 },
    { on: 'DELETE /storage/**', times: 1, respond: 'drop', apply: true },
  ]);
  const { code, stdout, stderr } = await bench.run(['cleanup', invocation.slice(0, 8)], platform.env);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`removed 2 of run ${invocation}`) });
  expect(stderr).toMatch(/429.*; retrying for up to 60 s/);
  expect(await platform.inventory()).toEqual(emptyInventory);
  const again = await bench.run(['cleanup', invocation], platform.env);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing is left') });

  const since = await told();
  expect([since.cost.perHour, since.teardown]).toEqual([0, { left: [], kept: [] }]);
  const scores = await bench.run(['results', `${invocation}.1`]);
  expect(scores.stdout).toContain('arc_challenge');
  expect(scores.stderr).toMatch(/scores of task 1 are from .*1-arc-challenge\/results.yml, which was fetched after/);
});

test('cleanup --output-dir overrides the output folder of a known run, for example when that folder is not writable', async () => {
  const held = { on: 'GET /storage/**/{results.yml,.evalsaga_results.zip}', times: 'inf', respond: 403 };
  const platform = await bench.lepton({ faults: [held, refused('/jobs/*')] });
  const run = await bench.run(['start', bench.config, '--json', ...impatient, '-t', 'hellaswag'], platform.env);
  const { invocation, tasks } = JSON.parse(run.stdout);
  const own = path.dirname(tasks[0].outputDir);
  await rm(own, { recursive: true, force: true });
  await writeFile(own, 'a file where a folder should be');
  await setFaults(platform, []);
  const stuck = await bench.run(['cleanup', invocation], platform.env);
  expect(stuck).toMatchObject({
    code: 5,
    stdout: expect.stringContaining(`cleanup ${invocation} --output-dir FOLDER`),
  });
  const rescue = path.join(bench.folder, 'rescue');
  const { code } = await bench.run(['cleanup', invocation, '--output-dir', rescue], platform.env);
  expect(code).toBe(0);
  const saved = path.join(rescue, invocation, path.basename(tasks[0].outputDir));
  expect(await readFile(path.join(saved, 'results.yml'), 'utf8')).toContain('results');
  expect(await platform.inventory()).toEqual(emptyInventory);
});

test('cleanup saves the log of a job before it deletes the job', async () => {
  const platform = await bench.lepton({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
  const started = await bench.run(['start', bench.config, '--detach', '--json'], platform.env);
  const { invocation } = JSON.parse(started.stdout);
  await until('the jobs run', async () => (await platform.inventory()).jobs.length === 3);
  const client = await temporalOf(bench);
  await terminateAll(client, invocation).finally(() => client.connection.close());
  const { code, stdout } = await bench.run(['cleanup', invocation, '--json'], platform.env);
  const { log } = JSON.parse(stdout).removed.find(({ kind }: { kind: string }) => kind === 'job');
  expect([code, path.basename(log)]).toEqual([0, 'job.log']);
  expect(await readFile(log, 'utf8')).toContain('Running');
});

test('cleanup --force from a machine that does not know the run removes endpoint, job and storage, and saves the results there', async () => {
  const held = [
    refused('/deployments/*-0-*'),
    refused('/jobs/*-0-*'),
    { on: 'GET /storage/**/{results.yml,.evalsaga_results.zip}', times: 'inf', respond: 403 },
  ];
  const platform = await bench.lepton({ faults: held });
  const run = await bench.run(['start', bench.config, '--json', ...impatient], platform.env);
  expect(run.code).toBe(5);
  const { invocation } = JSON.parse(run.stdout);
  await setFaults(platform, []);
  const before = await platform.inventory();
  expect([before.deployments.length, before.jobs.length, before.storage.length > 0]).toEqual([1, 1, true]);
  const elsewhere = await testHome('elsewhere');
  try {
    const refused = await elsewhere.run(['cleanup', invocation, '--output-dir', 'saved'], platform.env);
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/may still be going on[^]*home:[^]*--force/),
    });
    expect(await platform.inventory()).toEqual(before);
    const forced = ['cleanup', invocation, '--output-dir', 'saved', '--force'];
    const { code, stderr } = await elsewhere.run(forced, platform.env);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('Temporal could not be asked') });
    expect(await platform.inventory()).toEqual(emptyInventory);
    for (const folder of ['0-hellaswag', '1-arc-challenge', '2-winogrande']) {
      const file = path.join(elsewhere.folder, 'saved', invocation, folder, 'results.yml');
      expect(await readFile(file, 'utf8')).toContain('results');
    }
  } finally {
    await elsewhere.dispose();
  }
});

test('cleanup --force finds storage by its name when only storage is left; --discard deletes it without fetching results', async () => {
  const platform = await bench.lepton({
    faults: [{ on: 'GET /storage/**/{results.yml,.evalsaga_results.zip}', times: 'inf', respond: 403 }],
  });
  const run = await bench.run(['start', bench.config, '--json', ...impatient], platform.env);
  const { invocation, teardown } = JSON.parse(run.stdout);
  expect(teardown.kept).toHaveLength(3);
  const elsewhere = await testHome('elsewhere');
  try {
    const kept = await elsewhere.run(['cleanup', invocation, '--force', '--json'], platform.env);
    expect(kept.code).toBe(5);
    expect(JSON.parse(kept.stdout).teardown.kept[0].reason).toContain('403');
    expect((await platform.inventory()).storage.length).toBeGreaterThan(0);
    expect((await elsewhere.run(['cleanup', invocation, '--force', '--discard'], platform.env)).code).toBe(0);
    expect(await platform.inventory()).toEqual(emptyInventory);
  } finally {
    await elsewhere.dispose();
  }
});

test("sweep from another home removes a terminated run's storage only if the run's output folder exists on this machine", async () => {
  const platform = await bench.lepton({
    faults: [
      { on: 'GET /storage/**/.evalsaga_results.zip', times: 'inf', respond: 404 },
      { on: 'GET /storage/**/results.yml', times: 'inf', respond: 503 },
    ],
  });
  const begun = async (): Promise<{ invocation: string; outputDir: string }> => {
    const started = await bench.run(['start', bench.config, '--detach', '--json'], platform.env);
    const { invocation } = JSON.parse(started.stdout);
    await until('results are fetched', async () => {
      const { stdout } = await bench.run(['status', invocation, '--json'], platform.env);
      return JSON.parse(stdout).tasks.every(({ phase }: { phase: string }) => phase === 'fetching results');
    });
    return { invocation, outputDir: path.join(bench.folder, 'results', invocation) };
  };
  const runs = [await begun(), await begun()] as const;
  const client = await temporalOf(bench);
  for (const { invocation } of runs) await terminateAll(client, invocation);
  await client.connection.close();
  // A fetch that still goes on would make the folder again that is moved away.
  process.kill(await bench.pidOf('worker'), 'SIGKILL');
  const [near, far] = runs;
  await mkdir(near.outputDir, { recursive: true });
  await rename(far.outputDir, `${far.outputDir}-elsewhere`).catch(() => undefined);
  await setFaults(platform, []);
  const elsewhere = await testHome('elsewhere');
  try {
    const env = { ...platform.env, TEMPORAL_ADDRESS: await temporalAddress(bench) };
    const swept = await elsewhere.run(['sweep', '--grace', '0', '--json'], env);
    const report = JSON.parse(swept.stdout);
    const storage = report.removed.filter(({ kind }: { kind: string }) => kind === 'storage');
    expect(storage.map(({ invocation }: { invocation: string }) => invocation)).toEqual([near.invocation]);
    const [first] = await readdir(near.outputDir);
    expect(await readFile(path.join(near.outputDir, first ?? '', 'results.yml'), 'utf8')).toContain('results');
    expect(report.stranded).toEqual([
      expect.objectContaining({ invocation: far.invocation, reason: expect.stringContaining(far.outputDir) }),
    ]);
    expect((await platform.inventory()).storage.some((folder) => folder.includes(far.invocation))).toBe(true);
    const rescued = await elsewhere.run(['cleanup', far.invocation, '--output-dir', 'saved'], env);
    expect(rescued.code).toBe(0);
    expect(await platform.inventory()).toMatchObject({ storage: [] });
  } finally {
    await elsewhere.dispose();
  }
});

test('cleanup refuses a running run; once the run and its tasks are terminated, sweep removes their resources after the grace period', async () => {
  const platform = await bench.lepton({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
  const started = await bench.run(['start', bench.config, '--detach', '--json'], platform.env);
  const { invocation } = JSON.parse(started.stdout);
  await until('three jobs run', async () => (await platform.inventory()).jobs.length === 3);
  const refusal = await bench.run(['cleanup', invocation], platform.env);
  expect(refusal).toMatchObject({ code: 2, stderr: expect.stringContaining('still going on') });

  const client = await temporalOf(bench);
  try {
    const schedules: string[] = [];
    await until('the sweep is scheduled', async () => {
      for await (const { scheduleId } of client.schedule.list()) schedules.push(scheduleId);
      return schedules.some((id) => id.startsWith(`eval-sweep-${platform.workspace}-`));
    });
    await terminateAll(client, invocation);
  } finally {
    await client.connection.close();
  }
  const young = await bench.run(['sweep', '--json'], platform.env);
  expect({ code: young.code, ...JSON.parse(young.stdout) }).toEqual({ code: 0, removed: [], failed: [], spared: 6 });
  const dry = await bench.run(['sweep', '--grace', '0', '--dry-run', '--json'], platform.env);
  expect(JSON.parse(dry.stdout).removed.length).toBeGreaterThanOrEqual(6);
  expect((await platform.inventory()).deployments).toHaveLength(3);
  expect((await bench.run(['sweep', '--grace', '0'], platform.env)).code).toBe(0);
  expect(await platform.inventory()).toEqual(emptyInventory);
});
