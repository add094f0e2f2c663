import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { invocationVariable, taskVariable } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
import type { RunSnapshot, TaskPhase } from '../../src/contract/state';
import { createLeptonClient } from '../../src/lepton/client';
import { sweep } from '../../src/cleanup/sweep';
import { creations, emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { setFaults } from '../support/command';
import { runPlan } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const anyIn = (phase: TaskPhase) => (snapshot: RunSnapshot) => snapshot.tasks.some((task) => task.phase === phase);

/** Resolves when the platform has received such a request `times` times. */
async function asked(scenario: Scenario, method: string, route: RegExp, times = 1): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const requests = await scenario.platform.requests();
    if (requests.filter((request) => request.method === method && route.test(request.path)).length >= times) return;
    if (Date.now() > deadline) throw new Error(`the platform was never asked ${method} ${route}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('a create that takes effect late', () => {
  test.concurrent('after the DELETE was answered 404: the endpoint is still found and removed', async () => {
    const scenario = await bench.scenario({
      faults: [
        { on: 'POST /deployments', times: 1, respond: 'drop', apply_after: '6s' },
        { on: 'POST /deployments', times: 1, respond: 'drop', apply_after: 'told' },
        { on: 'POST /deployments', times: 'inf', respond: 503 },
      ],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    await asked(scenario, 'POST', /^\/deployments$/, 2);
    await scenario.cancel(plan);
    const { status } = await scenario.closed(plan);
    const requests = await scenario.platform.requests();
    const landed = requests.filter(
      ({ method, path: route, status: code }) =>
        method === 'DELETE' && route.startsWith('/deployments/') && code === 200,
    );
    expect(landed).toHaveLength(1);
    expect(status).toBe('cancelled');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    await landsWhenAllIsOver(scenario, plan);
  });

  /** A create that takes effect after the run has closed is removed by the sweep. */
  async function landsWhenAllIsOver(scenario: Scenario, plan: RunPlan): Promise<void> {
    const sweepWith = (graceSeconds: number) =>
      sweep({
        temporal: scenario.client,
        platform: createLeptonClient(scenario.platform),
        ref: plan.platform,
        home: scenario.home,
        origin: 'tests',
        secretsOf: () => Promise.resolve([]),
        graceSeconds,
        dryRun: false,
      });
    expect(await sweepWith(-60)).toMatchObject({ removed: [], spared: 0 });
    expect(await scenario.platform.land()).toBe(1);
    expect((await scenario.platform.inventory()).deployments).toEqual([plan.tasks[0]?.endpointName]);
    // Within the grace period it is spared: its run may still be creating it.
    expect(await sweepWith(180)).toMatchObject({ removed: [], spared: 1 });
    expect(await sweepWith(-60)).toMatchObject({ removed: [{ kind: 'endpoint' }], failed: [] });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  }

  test.concurrent('after a retry has succeeded: no second endpoint or job remains', async () => {
    const scenario = await bench.scenario({
      faults: [
        { on: 'POST /deployments', times: 1, respond: 'drop', apply_after: '5s' },
        { on: 'POST /jobs', times: 1, respond: 'drop', apply_after: '5s' },
      ],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, error: snapshot.tasks[0]?.error }).toEqual({ status: 'succeeded', error: null });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('of a job, after a cancel: its results are fetched before it is removed', async () => {
    const scenario = await bench.scenario({
      faults: [
        { on: 'POST /jobs', times: 1, respond: 'drop', apply_after: '5s' },
        { on: 'POST /jobs', times: 'inf', respond: 503 },
      ],
      jobs: { default: { states: [['Completed']] } },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    await asked(scenario, 'POST', /^\/jobs$/);
    await scenario.cancel(plan);
    expect((await scenario.closed(plan)).status).toBe('cancelled');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    const folder = path.join(plan.outputDir, plan.tasks[0]?.folder ?? '');
    expect(await readFile(path.join(folder, 'results.yml'), 'utf8')).toContain('results');
  });

  test.concurrent('although a later attempt was refused: an unanswered earlier one may have succeeded', async () => {
    const scenario = await bench.scenario({
      faults: [
        { on: 'POST /deployments', times: 1, respond: 'drop', apply_after: '5s' },
        { on: 'POST /deployments', times: 'inf', respond: 401 },
      ],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error?.type).toBe('CredentialsRefused');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });
});

describe('a create whose answer does not say whether it succeeded', () => {
  test.concurrent('without body, name or id: the resource is found by its name and used', async () => {
    const scenario = await bench.scenario({
      faults: [
        { on: 'POST /deployments', times: 'inf', respond: 201, body: '', apply: true },
        { on: 'POST /jobs', times: 'inf', respond: 201, body: {}, apply: true },
      ],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, error: snapshot.tasks[0]?.error }).toEqual({ status: 'succeeded', error: null });
    expect([await creations(scenario.platform, '/deployments'), await creations(scenario.platform, '/jobs')]).toEqual([
      1, 1,
    ]);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('500 although the endpoint was created, and later attempts are refused: it is removed', async () => {
    const scenario = await bench.scenario({
      faults: [
        { on: 'POST /deployments', times: 1, respond: 500, apply: true },
        { on: 'POST /deployments', times: 'inf', respond: 422 },
      ],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect([status, snapshot.tasks[0]?.error?.type]).toEqual(['failed', 'RequestRefused']);
    expect(await removals(scenario)).toEqual([200]);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('the endpoint was created, but its job is refused: the endpoint is removed', async () => {
    const scenario = await bench.scenario({
      faults: [{ on: 'POST /jobs', times: 'inf', respond: 422, body: { code: 'Invalid', message: 'no such shape' } }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect([status, snapshot.tasks[0]?.error]).toEqual([
      'failed',
      { type: 'RequestRefused', message: expect.stringContaining('no such shape') },
    ]);
    expect(await removals(scenario)).toEqual([200]);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });
});

/** Statuses of the DELETE requests that found an endpoint. */
async function removals({ platform }: Scenario): Promise<number[]> {
  const requests = await platform.requests();
  return requests
    .filter(
      ({ method, path: route, status }) => method === 'DELETE' && /^\/deployments\//.test(route) && status !== 404,
    )
    .map(({ status }) => status);
}

describe('an endpoint of the same name that is still being deleted', () => {
  test.concurrent.each([
    ['of this task', true],
    ['of another run', false],
  ] as const)('%s: the task waits until it is gone, and does not adopt it', async (_, isOurs) => {
    const scenario = await bench.scenario({ endpoints: { default: { states: [['Ready']], deleting: '8s' } } });
    const { url, token } = scenario.platform;
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
    const name = plan.tasks[0]?.endpointName ?? '';
    const marks = { [invocationVariable]: isOurs ? plan.invocation : '0'.repeat(16), [taskVariable]: '0' };
    const spec = {
      container: { image: 'earlier' },
      envs: Object.entries(marks).map(([variable, value]) => ({ name: variable, value })),
    };
    const call = (method: string, route: string, body?: object) =>
      fetch(`${url}${route}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    expect((await call('POST', '/deployments', { metadata: { name }, spec })).ok).toBe(true);
    // The task's create takes effect while that one is being deleted, however late the task has begun.
    await setFaults(scenario.platform, [{ on: 'POST /deployments', delay: '5s', times: 1 }]);
    await scenario.start(plan);
    await asked(scenario, 'POST', /^\/deployments$/, 2);
    expect((await call('DELETE', `/deployments/${name}`)).ok).toBe(true);
    await scenario.until(plan, ({ tasks }) => !/pending|creating/.test(tasks[0]?.phase ?? ''));
    expect(await (await call('GET', `/deployments/${name}`)).text()).not.toContain('earlier');
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, error: snapshot.tasks[0]?.error }).toEqual({ status: 'succeeded', error: null });
    const posts = (await scenario.platform.requests()).filter(
      ({ method, path: route }) => method === 'POST' && route === '/deployments',
    );
    expect(posts.map((post) => post.status)).toEqual(expect.arrayContaining([201, 409]));
    expect(await creations(scenario.platform, '/deployments')).toBe(2);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });
});

describe('cancel', () => {
  test.concurrent('during a create that then fails: the tasks are cancelled, not failed', async () => {
    const scenario = await bench.scenario({
      faults: [{ on: 'POST /deployments', times: 'inf', delay: '2s', respond: 500 }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await asked(scenario, 'POST', /^\/deployments$/, 3);
    await scenario.cancel(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('cancelled');
    expect(snapshot.tasks.map(({ outcome, error }) => [outcome, error])).toEqual(Array(3).fill(['cancelled', null]));
    expect(await creations(scenario.platform, '/deployments')).toBe(0);
  });

  test.concurrent('while results are fetched: they are saved, then everything is removed', async () => {
    const scenario = await bench.scenario({ faults: [{ on: 'GET /storage/**', times: 'inf', delay: '300ms' }] });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await asked(scenario, 'GET', /\/results\.yml/);
    await scenario.cancel(plan);
    const { snapshot } = await scenario.closed(plan);
    const fetching = snapshot.tasks.filter(({ outcome }) => outcome === 'succeeded');
    expect(fetching.length).toBeGreaterThan(0);
    for (const { outputDir } of fetching)
      expect(await readFile(path.join(outputDir ?? '', 'results.yml'), 'utf8')).toContain('results');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('while teardown waits for a slow deletion: it keeps waiting', async () => {
    const scenario = await bench.scenario({
      endpoints: { default: { states: [['Starting', '100ms'], ['Ready']], deleting: '3s' } },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await asked(scenario, 'DELETE', /^\/deployments\//);
    await scenario.cancel(plan);
    await scenario.cancel(plan);
    await scenario.closed(plan);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent(
    'of 100 tasks whose endpoints take 20 s to delete: they are deleted in parallel, and none is left',
    async () => {
      const scenario = await bench.scenario({
        endpoints: { default: { states: [['Starting', '1h'], ['Ready']], deleting: '20s' } },
      });
      const tasks = Array.from({ length: 100 }, (_, index) => `task-${index}`);
      const plan = runPlan({
        outputRoot: scenario.outputRoot,
        tasks,
        limits: { endpointReadySeconds: 600, teardownSeconds: 600 },
      });
      await scenario.start(plan);
      await scenario.until(plan, ({ tasks: all }) => all.every(({ phase }) => phase === 'awaiting ready'), 250_000);
      expect((await scenario.platform.inventory()).deployments).toHaveLength(100);
      const begin = Date.now();
      await scenario.cancel(plan);
      const { status } = await scenario.closed(plan, 400_000);
      expect(status).toBe('cancelled');
      expect(await scenario.platform.inventory()).toEqual(emptyInventory);
      // Sequential deletion would take 2,000 s.
      expect(Date.now() - begin).toBeLessThan(400_000);
    },
    700_000,
  );
});

test.concurrent('tasks that wait for a free place are cancelled at once, and nothing is created for them', async () => {
  const scenario = await bench.scenario({ endpoints: { default: { states: [['Starting', '1h'], ['Ready']] } } });
  const plan = runPlan({
    outputRoot: scenario.outputRoot,
    tasks: ['t-one', 't-two', 't-three'],
    change: { maxParallelEndpoints: 1 },
  });
  await scenario.start(plan);
  await scenario.until(plan, anyIn('awaiting ready'));
  await scenario.cancel(plan);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled', 'cancelled']);
  expect(await creations(scenario.platform, '/deployments')).toBe(1);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
