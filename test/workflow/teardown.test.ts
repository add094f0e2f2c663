import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunPlan } from '../../src/contract/plan';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { sendJson, startServer } from '../support/http-server';
import { runPlan } from '../support/plans';

/** What teardown removes, and what a run reports when it can't. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const endless = { default: { states: [['Running', '1h'], ['Completed']] } };
const one = ['hellaswag'];

async function onPlatform({ platform }: Scenario, method: string, route: string): Promise<Response> {
  return fetch(`${platform.url}${route}`, { method, headers: { authorization: `Bearer ${platform.token}` } });
}

const running = (scenario: Scenario, plan: RunPlan) =>
  scenario.until(plan, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));

test.concurrent(
  'an endpoint that was removed by hand: its task fails with that reason, and its teardown is complete',
  async () => {
    const scenario = await bench.scenario({ jobs: endless });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    await running(scenario, plan);
    await onPlatform(scenario, 'DELETE', `/deployments/${plan.tasks[0]?.endpointName ?? ''}`);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, left: snapshot.left }).toEqual({ status: 'failed', left: [] });
    expect(snapshot.tasks[0]?.error).toEqual({
      type: 'EndpointFailed',
      message: expect.stringMatching(/died while its job ran: (it is gone|Deleting)/),
    });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent(
  'a job and its storage that were removed by hand: the task fails, and its teardown is complete',
  async () => {
    const scenario = await bench.scenario({ jobs: endless });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    await running(scenario, plan);
    const [job = ''] = (await scenario.platform.inventory()).jobs;
    await onPlatform(scenario, 'DELETE', `/storage/default${plan.storage.path}`);
    await onPlatform(scenario, 'DELETE', `/jobs/${job}`);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error?.type).toMatch(/^Job(Lost|Failed)$/);
    expect(snapshot.left).toEqual([]);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent('an endpoint whose deletion is accepted but never ends is reported as left', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '100ms'], ['Ready']], deleting: '1h' } },
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one, limits: { teardownSeconds: 10 } });
  await scenario.start(plan);
  const { status, failure, snapshot } = await scenario.closed(plan);
  expect({ status, type: failure?.type }).toEqual({ status: 'failed', type: 'TeardownIncomplete' });
  expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded']);
  expect(snapshot.left).toEqual([
    { kind: 'endpoint', name: plan.tasks[0]?.endpointName, reason: expect.stringContaining('is being deleted') },
  ]);
});

test.concurrent('a job that the platform refuses: its endpoint and storage are removed', async () => {
  const body = { code: 'InvalidParameter', message: 'no such shape: cpu.small' };
  const scenario = await bench.scenario({ faults: [{ on: 'POST /jobs', times: 'inf', respond: 422, body }] });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks[0]?.error).toEqual({
    type: 'RequestRefused',
    message: expect.stringContaining('no such shape: cpu.small'),
  });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent(
  "files beside the run's storage folder stay, and a folder that the user removed is not created again",
  async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    const root = path.join(scenario.home.platform, 'storage', plan.storage.fileSystem, path.dirname(plan.storage.path));
    await mkdir(path.join(root, 'mine'), { recursive: true });
    await writeFile(path.join(root, 'mine', 'weights.bin'), 'x');
    await scenario.start(plan);
    await running(scenario, plan);
    await onPlatform(scenario, 'DELETE', `/storage/default${plan.storage.path}`);
    await scenario.closed(plan);
    expect(await readdir(root)).toEqual(['mine']);
    expect(await readdir(path.join(root, 'mine'))).toEqual(['weights.bin']);
  },
);

test.concurrent(
  "results are saved but storage can't be removed: the scores count, and the storage is reported as left",
  async () => {
    const scenario = await bench.scenario({ faults: [{ on: 'DELETE /storage/**', times: 'inf', respond: 500 }] });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one, limits: { teardownSeconds: 10 } });
    await scenario.start(plan);
    const { failure, snapshot } = await scenario.closed(plan);
    expect(failure).toEqual({
      type: 'TeardownIncomplete',
      message: expect.stringContaining(`evalsaga cleanup ${plan.invocation}`),
    });
    const [task] = snapshot.tasks;
    expect({ outcome: task?.outcome, error: task?.error }).toEqual({ outcome: 'succeeded', error: null });
    expect(task?.metrics).not.toEqual({});
    expect(await readdir(task?.outputDir ?? '')).toContain('results.yml');
    expect(snapshot.left).toEqual([expect.objectContaining({ kind: 'storage' })]);
  },
);

describe("the user's own endpoint", () => {
  test.concurrent.each(['whose evaluation fails', 'whose run is cancelled'])(
    '%s gets only probe requests',
    async (course) => {
      const asked: string[] = [];
      const server = await startServer((request, response) => {
        asked.push(`${request.method} ${request.url}`);
        sendJson(response, request.method === 'GET' ? { data: [{ id: 'test/model' }] } : { choices: [] });
      });
      try {
        const fails = course.endsWith('fails');
        const scenario = await bench.scenario({
          jobs: fails ? { default: { states: [['Running', '300ms'], ['Failed']] } } : endless,
        });
        const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
        const tasks = plan.tasks.map((task) => ({ ...task, endpointName: null }));
        const probe = { ...plan.endpoint.probe, healthPath: null };
        const url = `${server.url}/v1/completions`;
        const existing: RunPlan = { ...plan, tasks, endpoint: { kind: 'existing', url, probe } };
        await scenario.start(existing);
        if (!fails) {
          await running(scenario, existing);
          await scenario.cancel(existing);
        }
        expect((await scenario.closed(existing)).status).toBe(fails ? 'failed' : 'cancelled');
        expect(new Set(asked)).toEqual(new Set(['GET /v1/models', 'POST /v1/completions']));
        const requests = await scenario.platform.requests();
        expect(requests.filter(({ path: route }) => route.startsWith('/deployments'))).toEqual([]);
        expect(await scenario.platform.inventory()).toEqual(emptyInventory);
      } finally {
        await server.close();
      }
    },
  );
});
