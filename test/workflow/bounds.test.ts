import { startRun } from '../../src/client';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { EndpointPlan, RunPlan } from '../../src/contract/plan';
import { maxPlanBytes } from '../../src/contract/plan-size';
import { runArguments } from '../../src/contract/run-arguments';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan, withPackedResults } from '../support/plans';

/** Events, payloads and messages stay below Temporal's limits, whatever the platform returns. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

async function eventsOf(scenario: Scenario, id: string): Promise<{ count: number; bytes: number }> {
  const { historyLength, historySize } = await scenario.client.workflow.getHandle(id).describe();
  return { count: historyLength, bytes: historySize ?? 0 };
}

test.concurrent('a wait with many polls of a changing state adds few events to the history', async () => {
  const states = Array.from({ length: 60 }, (_, step) => ['Running', '300ms', `step ${step} of 60`]);
  const scenario = await bench.scenario({ jobs: { default: { states: [...states, ['Completed']] } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  await scenario.start(plan);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  const looks = (await scenario.platform.requests()).filter(({ path: route }) => route.startsWith('/jobs')).length;
  expect(looks).toBeGreaterThan(15);
  const task = await eventsOf(scenario, taskWorkflowId(plan.invocation, 0));
  const run = await eventsOf(scenario, runWorkflowId(plan.invocation));
  expect(task.count).toBeLessThan(400);
  expect(run.count).toBeLessThan(250);
});

test.concurrent('a long wait in an unchanged state adds no events per poll', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '12s'], ['Completed']] } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  await scenario.start(plan);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  // Where the platform announces changes, a listing that nothing was announced for is read again only after ten seconds.
  const looks = (await scenario.platform.requests()).filter(({ path: route }) => route.startsWith('/jobs')).length;
  expect(looks).toBeGreaterThan(3);
  expect((await eventsOf(scenario, taskWorkflowId(plan.invocation, 0))).count).toBeLessThan(200);
});

test.concurrent('what a task asks of the platform does not grow with the files that its job has left', async () => {
  const files = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`sample-${at}.jsonl`, `{"at": ${at}}\n`]));
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '500ms'], ['Completed']], files } },
  });
  const plan = withPackedResults(runPlan({ outputRoot: scenario.outputRoot, change: { startPolicy: 'as_ready' } }));
  await scenario.start(plan);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  const requests = (await scenario.platform.requests()).map(({ method, path: at }) => ({ method, at: routeOf(at) }));
  const count = (method: string, at: RegExp): number =>
    requests.filter((request) => request.method === method && at.test(request.at)).length;
  const folder = /^\/storage\/.*\/\d-[a-z-]+$/;
  const counts = {
    created: count('POST', /^\/(deployments|jobs)$/),
    deleted: count('DELETE', /^\/(deployments|jobs)\//),
    logs: count('GET', /^\/logs$/),
    archives: count('GET', /evalsaga_results\.zip$/),
    files: count('GET', /\.(jsonl|yml|json)$/),
    // That nothing is there beside the archive's files.
    listed: count('GET', folder),
    removed: count('DELETE', folder),
  };
  expect(counts).toMatchObject({ created: 6 });
  // On a busy machine a step may run out of time, and be made once more. Files are read by themselves only if an archive had to be read again.
  const byThemselves = counts.archives > 3 ? 6 : 0;
  const most = { created: 6, deleted: 12, logs: 12, archives: 6, files: byThemselves, listed: 6, removed: 6 };
  for (const [kind, number] of Object.entries(counts))
    expect({ kind, number: Math.min(number, most[kind as keyof typeof most]) }).toEqual({ kind, number });
  // Shared by all tasks: listings, and what a run asks once.
  const own = Object.values(counts).reduce((sum, number) => sum + number, 0);
  expect(requests.length - own).toBeLessThan(50);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

const routeOf = (at: string): string => at.split('?')[0] ?? '';

test.concurrent(
  'an answer with 5 MB of text fails its task with an error of less than 2,200 characters, which keeps its beginning',
  async () => {
    const essay = `denied because ${'x'.repeat(5_000_000)} that is why`;
    const body = { code: 'Denied', message: essay };
    const scenario = await bench.scenario({
      endpoints: {
        default: { states: [['Starting', '100ms'], ['Ready']] },
        match: [{ name: '*arc*', states: [['Starting', '500ms', essay], ['Error']], message: essay }],
      },
      jobs: {
        default: { states: [['Running', '300ms'], ['Failed']], log: essay, message: essay },
      },
      faults: [{ on: 'POST /deployments', name: '*hella*', times: 'inf', respond: 422, body }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    const errors = snapshot.tasks.map(({ error }) => error);
    expect(errors.map((error) => error?.type)).toEqual(['RequestRefused', 'EndpointFailed', 'JobFailed']);
    for (const error of errors) {
      expect(error?.message.length).toBeLessThan(2_200);
      expect(error?.message).toContain('denied because');
    }
    for (const { index } of plan.tasks)
      expect((await eventsOf(scenario, taskWorkflowId(plan.invocation, index))).bytes).toBeLessThan(400_000);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent('10,000 metrics: the history holds 200 values, the saved results hold all', async () => {
  const metrics = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`m${at}`, at / 10_000]));
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '300ms'], ['Completed']], metrics } },
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  // Each with its standard error.
  expect(Object.keys(snapshot.tasks[0]?.metrics ?? {})).toHaveLength(20_000);
  const told = (await bench.client.workflow.getHandle(`eval-${plan.invocation}`).result()) as typeof snapshot;
  expect(Object.keys(told.tasks[0]?.metrics ?? {})).toHaveLength(200);
  expect(told.tasks[0]?.metricsTotal).toBe(20_000);
});

test.concurrent(
  'a plan above the size limit is refused with an error that names the limit, and nothing is started',
  async () => {
    const scenario = await bench.scenario();
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: Array.from({ length: 300 }, (_, at) => `t-${at}`) });
    // What the tasks have in common would count once.
    const paramsOf = (index: number): string => `${index}-`.repeat(15_000);
    const tasks = plan.tasks.map((task) => ({
      ...task,
      job: { ...task.job, container: { ...task.job.container, command: ['/bin/bash', '-c', paramsOf(task.index)] } },
    }));
    const { client, home, taskQueue } = scenario;
    const request = {
      plan: { ...plan, tasks },
      taskQueue,
      hostSecrets: {},
      configYaml: '',
      home,
      searchAttributes: true,
    };
    await expect(startRun(client, request)).rejects.toMatchObject({
      name: 'PlanTooLarge',
      message: expect.stringContaining(maxPlanBytes.toLocaleString('en')),
    });
    await expect(client.workflow.getHandle(runWorkflowId(plan.invocation)).describe()).rejects.toThrow();
  },
);

/** The plan with a job script padded so that the arguments of its run have `bytes` bytes. */
function planOf(bytes: number, plan: RunPlan): RunPlan {
  const [task] = plan.tasks;
  if (!task) throw new Error('no task');
  const withScript = (length: number): RunPlan => {
    const container = { ...task.job.container, command: ['/bin/bash', '-c', 'x'.repeat(length)] };
    return { ...plan, tasks: [{ ...task, job: { ...task.job, container } }] };
  };
  const some = 100_000;
  const size = runArguments(withScript(some), { searchAttributes: true }).reduce(
    (sum, argument) => sum + Buffer.byteLength(JSON.stringify(argument)),
    0,
  );
  return withScript(bytes - size + some);
}

test.concurrent('a plan of exactly the maximum size runs, one byte more is refused', async () => {
  const scenario = await bench.scenario();
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  await expect(scenario.start(planOf(maxPlanBytes + 1, plan))).rejects.toMatchObject({ name: 'PlanTooLarge' });
  await scenario.start(planOf(maxPlanBytes, plan));
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, error: snapshot.tasks[0]?.error }).toEqual({ status: 'succeeded', error: null });
  expect((await eventsOf(scenario, taskWorkflowId(plan.invocation, 0))).bytes).toBeLessThan(25e6);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent(
  'a large endpoint spec reaches every task, although all copies together exceed the limit of one message',
  async () => {
    const scenario = await bench.scenario();
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: Array.from({ length: 6 }, (_, at) => `t-${at}`) });
    if (plan.endpoint.kind !== 'dedicated') throw new Error('the plan deploys endpoints');
    const { spec } = plan.endpoint;
    const endpoint: EndpointPlan = {
      ...plan.endpoint,
      spec: { ...spec, envs: [...spec.envs, { name: 'LARGE', value: 'x'.repeat(900_000) }] },
    };
    await scenario.start({ ...plan, endpoint });
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, errors: snapshot.tasks.map(({ error }) => error) }).toEqual({
      status: 'succeeded',
      errors: Array(6).fill(null),
    });
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  },
);

test.concurrent('a run that reaches its budget is torn down, and its error names the limit', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
  // Two endpoints at 1.80 per hour cost 0.001 per second.
  const budget = { limit: 0.006, currency: 'USD', endpointPerHour: 1.8, jobPerHour: 0 };
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['a-one', 'b-two'], change: { budget } });
  await scenario.start(plan);
  const { status, failure, snapshot } = await scenario.closed(plan);
  expect({ status, type: failure?.type }).toEqual({ status: 'failed', type: 'BudgetExceeded' });
  expect(failure?.message).toContain('0.006 USD');
  expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled']);
  for (const { usage } of snapshot.tasks) expect(usage?.endpoint?.until).not.toBeNull();
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
