import { Client, Connection } from '@temporalio/client';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import { openRuns, storeRun } from '../../src/home/run-store';
import { createLeptonClient } from '../../src/lepton/client';
import { renderDeployment } from '../../src/lepton/render-spec';
import type { LeptonClient } from '../../src/lepton/types';
import { sweep } from '../../src/cleanup/sweep';
import { ensureSweepSchedule } from '../../src/cleanup/sweep-schedule';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const clientOf = ({ platform }: Scenario): LeptonClient => createLeptonClient(platform);

interface Way {
  readonly graceSeconds?: number;
  readonly dryRun?: boolean;
  readonly temporal?: Client;
  readonly origin?: string;
  readonly home?: { readonly runs: string; readonly swept: string };
}

const sweepNow = (scenario: Scenario, way: Way = {}) =>
  sweep({
    temporal: way.temporal ?? scenario.client,
    platform: clientOf(scenario),
    ref: { kind: 'local', workspace: 'local' },
    home: way.home ?? scenario.home,
    origin: way.origin ?? 'tests',
    secretsOf: () => Promise.resolve([]),
    graceSeconds: way.graceSeconds ?? -60,
    dryRun: way.dryRun ?? false,
  });

/** Terminates a run and its tasks, so that none of them tears down. */
async function terminateAll(scenario: Scenario, plan: RunPlan): Promise<void> {
  const ids = [
    runWorkflowId(plan.invocation),
    ...plan.tasks.map(({ index }) => taskWorkflowId(plan.invocation, index)),
  ];
  for (const id of ids)
    await scenario.client.workflow
      .getHandle(id)
      .terminate()
      .catch(() => undefined);
}

const longJobs = { jobs: { default: { states: [['Running', '1h'], ['Completed']] } } };

/** Three endpoints and jobs whose run and tasks were terminated. */
async function orphaned(simulated: object = longJobs): Promise<{ scenario: Scenario; plan: RunPlan }> {
  const scenario = await bench.scenario(simulated);
  const plan = runPlan({ outputRoot: scenario.outputRoot });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
  await terminateAll(scenario, plan);
  return { scenario, plan };
}

test('resources of a terminated run and its terminated tasks are removed and listed; a dry run only lists them', async () => {
  const { scenario, plan } = await orphaned();
  expect((await scenario.platform.inventory()).deployments).toHaveLength(3);
  const dry = await sweepNow(scenario, { dryRun: true });
  expect((await scenario.platform.inventory()).deployments).toHaveLength(3);
  const report = await sweepNow(scenario);
  const names = plan.tasks
    .flatMap(({ endpointName, jobName }) => [`endpoint ${endpointName}`, `job ${jobName}`])
    .sort();
  const told = (removed: typeof report.removed): string[] =>
    removed.flatMap(({ kind, name }) => (kind === 'storage' ? [] : [`${kind} ${name}`])).sort();
  expect(told(report.removed)).toEqual(names);
  expect(told(dry.removed)).toEqual(names);
  expect(report.failed).toEqual([]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

const logOf = (folder: string) => readFile(folder, 'utf8').catch(() => null);

test("logs are saved before a sweep removes their jobs: in the run's output folder if known, else in the sweeping home", async () => {
  const { scenario, plan } = await orphaned();
  const elsewhere = {
    runs: path.join(scenario.outputRoot, 'other', 'runs'),
    swept: path.join(scenario.outputRoot, 'other', 'swept'),
  };
  await setFaults(scenario, [{ on: 'DELETE /jobs/*', times: 'inf', respond: 403 }]);
  const refused = await sweepNow(scenario, { home: elsewhere });
  expect(refused.failed).toHaveLength(3);
  await setFaults(scenario, []);
  const report = await sweepNow(scenario);
  for (const { folder, jobName } of plan.tasks) {
    const file = path.join(plan.outputDir, folder, 'logs', 'job.log');
    expect(await logOf(file)).toContain('Running');
    expect(report.removed).toContainEqual({ kind: 'job', name: jobName, invocation: plan.invocation, log: file });
    const other = path.join(elsewhere.swept, plan.invocation, 'logs', `${jobName}.log`);
    expect(await logOf(other)).toContain('Running');
  }
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test("a log that can't be read does not block the deletion, and is reported as lost", async () => {
  const { scenario } = await orphaned();
  const denied = ['GET /jobs/*/replicas/**', 'GET /logs'].map((on) => ({ on, times: 'inf', respond: 403 }));
  await setFaults(scenario, denied);
  const report = await sweepNow(scenario);
  const jobs = report.removed.filter(({ kind }) => kind === 'job');
  expect(jobs.map(({ logLost }) => logLost)).toEqual(jobs.map(() => expect.stringContaining('403')));
  expect((await scenario.platform.inventory()).jobs).toEqual([]);
});

test("the log of a terminated task's job is saved, although the job's id is no longer known", async () => {
  const scenario = await bench.scenario(longJobs);
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['alone'] });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'running job');
  await scenario.client.workflow.getHandle(taskWorkflowId(plan.invocation, 0)).terminate('by an operator');
  await scenario.closed(plan);
  const [task] = plan.tasks;
  expect(await logOf(path.join(plan.outputDir, task?.folder ?? '', 'logs', 'job.log'))).toContain('Running');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test('storage that a job creates only while the sweep removes it goes too, and its results are saved', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '5s'], ['Completed']] } },
    // The job completes while its log is being saved.
    faults: ['GET /jobs/*/replicas', 'GET /logs'].map((on) => ({ on, times: 'inf', delay: '7s' })),
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['alone'] });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'running job');
  await terminateAll(scenario, plan);
  expect((await sweepNow(scenario)).failed).toEqual([]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  expect(await logOf(path.join(plan.outputDir, plan.tasks[0]?.folder ?? '', 'results.yml'))).toContain('results');
});

test('within the grace period nothing is removed', async () => {
  const { scenario } = await orphaned();
  const report = await sweepNow(scenario, { graceSeconds: 600 });
  expect(report).toEqual({ removed: [], failed: [], spared: 6 });
  expect((await scenario.platform.inventory()).deployments).toHaveLength(3);
});

test('when Temporal is unreachable, nothing is removed', async () => {
  const { scenario } = await orphaned();
  // Without the SDK's interceptors, which would retry for a while.
  const connection = Connection.lazy({ address: '127.0.0.1:1', interceptors: [] });
  const before = await scenario.platform.inventory();
  await expect(sweepNow(scenario, { temporal: new Client({ connection }) })).rejects.toThrow();
  expect(await scenario.platform.inventory()).toEqual(before);
  expect((await scenario.platform.requests()).filter(({ method }) => method === 'DELETE')).toEqual([]);
  await connection.close();
});

test("when one of the platform's two listings fails, nothing is removed", async () => {
  const { scenario } = await orphaned({ ...longJobs, faults: [] });
  await setFaults(scenario, [{ on: 'GET /jobs', times: 'inf', respond: 500 }]);
  await expect(sweepNow(scenario)).rejects.toThrow('500');
  expect((await scenario.platform.inventory()).deployments).toHaveLength(3);
});

test('unmarked resources and those of another installation or of an open run stay', async () => {
  const { scenario } = await orphaned();
  const client = clientOf(scenario);
  const spec = {
    container: { image: 'x', command: ['x'] },
    resource_requirement: { resource_shape: 'gpu.1xh200', min_replicas: 1 },
  };
  await client.createDeployment({ name: 'the-users-own', spec });
  const marks = { invocation: '00000000000000aa', index: 0, origin: 'another installation' };
  const { endpoint } = runPlan({ outputRoot: '/' });
  if (endpoint.kind !== 'dedicated') throw new Error('a dedicated endpoint is wanted');
  const context = { marks, nodeGroupId: null, resolve: (name: string) => name };
  await client.createDeployment({ name: 'another-installations', spec: renderDeployment(endpoint.spec, context) });
  await client.storage.mkdir('default', '/shared/the-users-data');
  const living = runPlan({ outputRoot: scenario.outputRoot, tasks: ['alive'] });
  await scenario.start(living);
  await scenario.until(living, ({ tasks }) => tasks[0]?.phase === 'running job');

  const report = await sweepNow(scenario);
  expect(report.removed.some(({ invocation }) => invocation === living.invocation)).toBe(false);
  const { deployments, jobs, storage } = await scenario.platform.inventory();
  expect(deployments.sort()).toEqual(['another-installations', 'the-users-own', living.tasks[0]?.endpointName].sort());
  expect(jobs).toHaveLength(1);
  expect(storage).toContain('default:/shared/the-users-data');
  await scenario.cancel(living);
  await scenario.closed(living);
});

describe('storage that a run could not remove', () => {
  const heldBack = { on: 'GET /storage/**', times: 'inf', respond: 503 };

  /** A run that was terminated after its jobs ended and before their results were fetched. */
  async function unfetched(change: Partial<RunPlan> = {}): Promise<{ scenario: Scenario; plan: RunPlan }> {
    // Long enough for the fault to be set on a busy machine before the first job ends.
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '5s'], ['Completed']] } } });
    const plan = runPlan({ outputRoot: scenario.outputRoot, change });
    await scenario.start(plan);
    // Before that, the run looks for the storage itself.
    await scenario.until(plan, ({ tasks }) => tasks.some(({ phase }) => phase !== 'pending'));
    await setFaults(scenario, [heldBack]);
    await scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'fetching results'));
    await terminateAll(scenario, plan);
    return { scenario, plan };
  }

  test('is fetched, then removed, and not checked again', async () => {
    const { scenario, plan } = await unfetched();
    await setFaults(scenario, []);
    const report = await sweepNow(scenario);
    expect(report.removed).toContainEqual({ kind: 'storage', name: plan.storage.path, invocation: plan.invocation });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    for (const { folder } of plan.tasks)
      expect(await readFile(path.join(plan.outputDir, folder, 'results.yml'), 'utf8')).toContain('results');
    expect(await openRuns(scenario.home)).toEqual([]);
  });

  test("stays and is reported if it can't be fetched; endpoints and jobs are removed all the same", async () => {
    const { scenario, plan } = await unfetched();
    await setFaults(scenario, [{ on: 'GET /storage/**/results.yml', times: 'inf', respond: 403 }]);
    const report = await sweepNow(scenario);
    expect(report.failed).toEqual([
      { kind: 'storage', name: plan.storage.path, invocation: plan.invocation, reason: expect.stringContaining('403') },
    ]);
    const { deployments, jobs, storage } = await scenario.platform.inventory();
    expect({ deployments, jobs }).toEqual({ deployments: [], jobs: [] });
    expect(storage.length).toBeGreaterThan(0);
    await setFaults(scenario, []);
    expect((await sweepNow(scenario)).failed).toEqual([]);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test('stays with execution.keep_storage', async () => {
    const { scenario } = await unfetched({ keepStorage: true });
    await setFaults(scenario, []);
    const report = await sweepNow(scenario);
    expect(report.removed.filter(({ kind }) => kind === 'storage')).toEqual([]);
    expect((await scenario.platform.inventory()).storage.length).toBeGreaterThan(0);
  });

  test('stays if the run ended normally and kept it on purpose', async () => {
    const scenario = await bench.scenario();
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'], limits: { resultBytes: 10 } });
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.kept).toHaveLength(1);
    expect(await sweepNow(scenario)).toEqual({ removed: [], failed: [], spared: 0 });
    expect((await scenario.platform.inventory()).storage.length).toBeGreaterThan(0);
  });

  test('of a run that Temporal does not know is removed only if the run belongs to this installation', async () => {
    const scenario = await bench.scenario();
    const client = clientOf(scenario);
    const plans = ['tests', 'another', undefined].map((origin) => ({
      origin,
      plan: runPlan({ outputRoot: scenario.outputRoot }),
    }));
    for (const { plan, origin } of plans) {
      await storeRun(scenario.home, { plan, configYaml: '', secrets: {}, origin });
      await client.storage.mkdir('default', plan.storage.path);
    }
    const report = await sweepNow(scenario);
    expect(report.removed.map(({ name }) => name)).toEqual([plans[0]?.plan.storage.path]);
    for (const { plan, origin } of plans)
      expect(await client.storage.exists('default', plan.storage.path)).toBe(origin !== 'tests');
  });
});

test('the schedule exists once, and the workflow that it starts sweeps', async () => {
  const { scenario, plan } = await orphaned();
  const options = { platform: plan.platform, taskQueue: path.basename(path.dirname(scenario.home.root)) };
  await ensureSweepSchedule(scenario.client, options);
  await ensureSweepSchedule(scenario.client, options);
  const listed = async (): Promise<string[]> => {
    const ids: string[] = [];
    for await (const { scheduleId } of scenario.client.schedule.list()) ids.push(scheduleId);
    return ids.filter((id) => id.startsWith('eval-sweep-local-'));
  };
  await until('it is listed', async () => (await listed()).length > 0);
  expect(await listed()).toHaveLength(1);
  // The schedule's own grace period would spare the test's new resources.
  const swept = await scenario.client.workflow.execute('sweepPlatform', {
    workflowId: 'sweep-now',
    taskQueue: options.taskQueue,
    args: [{ platform: plan.platform, graceSeconds: -60 }],
  });
  expect(swept).toMatchObject({ failed: [], spared: 0 });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

async function setFaults({ platform }: Scenario, faults: readonly object[]): Promise<void> {
  const { url, token } = platform;
  const answer = await fetch(new URL('/__sim/plan', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ faults }),
  });
  if (!answer.ok) throw new Error(`/__sim/plan answered ${answer.status}`);
}
