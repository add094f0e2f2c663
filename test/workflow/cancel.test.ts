import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import type { RunSnapshot, TaskPhase } from '../../src/contract/state';
import { creations, emptyInventory, startBench, type Bench } from '../support/bench';
import { runPlan } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const slowPlan = {
  endpoints: { default: { states: [['Starting', '1500ms'], ['Ready']] } },
  jobs: { default: { states: [['Queueing', '200ms'], ['Running', '1h'], ['Completed']] } },
};

const endlessStart = { endpoints: { default: { states: [['Starting', '1h'], ['Ready']] } } };

const noLogs = [
  { on: 'GET /deployments/*/replicas', times: 'inf', respond: 500 },
  { on: 'GET /logs', times: 'inf', respond: 500 },
];

const allIn = (phase: TaskPhase) => (snapshot: RunSnapshot) => snapshot.tasks.every((task) => task.phase === phase);
const anyIn = (phase: TaskPhase) => (snapshot: RunSnapshot) => snapshot.tasks.some((task) => task.phase === phase);

describe('cancel tears down', () => {
  test.concurrent.each<[string, (snapshot: RunSnapshot) => boolean, object?]>([
    ['right after the start', () => true],
    ['while endpoints start', anyIn('awaiting ready'), endlessStart],
    ['while jobs run', anyIn('running job')],
  ])('%s', async (_, moment, change = {}) => {
    const scenario = await bench.scenario({ ...slowPlan, ...change });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await scenario.until(plan, moment);
    await scenario.cancel(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('cancelled');
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    expect(await creations(scenario.platform, '/deployments')).toBeLessThanOrEqual(3);
  });

  test.concurrent('while a create is in flight: the endpoint is removed once the create is answered', async () => {
    const scenario = await bench.scenario({
      ...slowPlan,
      faults: [{ on: 'POST /deployments', delay: '3s', times: 3 }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await scenario.until(plan, anyIn('creating endpoint'));
    await scenario.cancel(plan);
    expect((await scenario.closed(plan)).status).toBe('cancelled');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('while a create is being retried: no endpoint is created after the cancel', async () => {
    const scenario = await bench.scenario({
      ...slowPlan,
      faults: [{ on: 'POST /deployments', times: 'inf', respond: 503 }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await scenario.until(plan, anyIn('creating endpoint'));
    await scenario.cancel(plan);
    expect((await scenario.closed(plan)).status).toBe('cancelled');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
    expect(await creations(scenario.platform, '/deployments')).toBe(0);
  });

  test.concurrent('twice: the second cancel changes nothing', async () => {
    const scenario = await bench.scenario({
      ...slowPlan,
      faults: [{ on: 'DELETE /deployments/*', delay: '5s', times: 6 }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await scenario.until(plan, anyIn('running job'));
    await scenario.cancel(plan);
    await scenario.until(plan, anyIn('tearing down'));
    await scenario.cancel(plan);
    expect((await scenario.closed(plan)).status).toBe('cancelled');
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('while no log can be read: each task says that its logs are lost', async () => {
    const scenario = await bench.scenario({ ...slowPlan, faults: noLogs });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await scenario.until(plan, anyIn('running job'));
    await scenario.cancel(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('cancelled');
    for (const { message, endpoint } of snapshot.tasks)
      expect(message).toContain(`The log of endpoint ${endpoint} could not be saved`);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('of one task, as from the Web UI: the other tasks complete', async () => {
    const scenario = await bench.scenario({
      ...slowPlan,
      jobs: {
        default: { states: [['Running', '3s'], ['Completed']] },
        match: [{ name: '*arc*', states: [['Running', '1h'], ['Completed']] }],
      },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks }) => tasks[1]?.phase === 'running job');
    await scenario.client.workflow.getHandle(taskWorkflowId(plan.invocation, 1)).cancel();
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('failed');
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'cancelled', 'succeeded']);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });
});

describe('terminate', () => {
  test.concurrent('of the run: its tasks are cancelled and tear down themselves', async () => {
    const scenario = await bench.scenario({ ...slowPlan, faults: noLogs });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await scenario.until(plan, allIn('running job'));
    await scenario.client.workflow.getHandle(runWorkflowId(plan.invocation)).terminate();
    for (const { index } of plan.tasks) {
      const handle = scenario.client.workflow.getHandle(taskWorkflowId(plan.invocation, index));
      await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
    }
    // A terminated run can't report the outcomes of its tasks, but its description reads them from the tasks.
    const { failure, snapshot } = await scenario.describe(plan);
    expect(failure?.type).toBe('Terminated');
    expect(snapshot.tasks.map(({ phase, outcome }) => [phase, outcome])).toEqual(Array(3).fill(['done', 'cancelled']));
    for (const { message, endpoint } of snapshot.tasks)
      expect(message).toContain(`The log of endpoint ${endpoint} could not be saved`);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });

  test.concurrent('of a task: the run tears down in its place', async () => {
    const scenario = await bench.scenario({
      ...slowPlan,
      jobs: {
        default: { states: [['Running', '2s'], ['Completed']] },
        match: [{ name: '*hella*', states: [['Running', '1h'], ['Completed']] }],
      },
      faults: noLogs,
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot });
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'running job');
    await scenario.client.workflow.getHandle(taskWorkflowId(plan.invocation, 0)).terminate();
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('failed');
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['failed', 'succeeded', 'succeeded']);
    expect(snapshot.tasks[0]?.message).toMatch(/log of endpoint \S+ could not be saved/);
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  });
});

test.concurrent('a run that exceeds max_run_time is torn down', async () => {
  const scenario = await bench.scenario(slowPlan);
  const plan = runPlan({ outputRoot: scenario.outputRoot, limits: { runSeconds: 4 } });
  await scenario.start(plan);
  const { status, failure } = await scenario.closed(plan);
  expect({ status, type: failure?.type }).toEqual({ status: 'failed', type: 'RunTimeout' });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('after worker restarts the run continues, and nothing is created twice', async () => {
  const scenario = await bench.scenario({
    ...slowPlan,
    endpoints: { default: { states: [['Starting', '8s'], ['Ready']] } },
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag', 'arc_challenge'] });
  await scenario.start(plan);
  await scenario.until(plan, anyIn('awaiting ready'));
  await scenario.startWorker();
  await scenario.until(plan, allIn('running job'));
  await scenario.startWorker();
  await scenario.cancel(plan);
  expect((await scenario.closed(plan)).status).toBe('cancelled');
  expect(await creations(scenario.platform, '/deployments')).toBe(2);
  expect(await creations(scenario.platform, '/jobs')).toBe(2);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
