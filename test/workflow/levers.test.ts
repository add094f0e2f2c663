import type { EndpointPlan, RunPlan } from '../../src/contract/plan';
import type { RunSnapshot } from '../../src/contract/state';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** Jobs that start while their endpoints load, and tasks with endpoints of their own. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const early = (scenario: Scenario, change: Partial<RunPlan> = {}): RunPlan =>
  runPlan({
    outputRoot: scenario.outputRoot,
    tasks: ['hellaswag'],
    change: { startPolicy: 'as_ready', startJobsEarly: true, ...change },
  });

const isWaiting = ({ tasks: [task] }: RunSnapshot): boolean =>
  task?.phase === 'awaiting ready' && task.usage?.job?.until === null && task.job !== null;

const loading = [['Starting', '20s'], ['Ready']];

test.concurrent('a job starts while its endpoint loads, and its task succeeds', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: loading } },
    jobs: { default: { states: [['Running', '40s'], ['Completed']] } },
  });
  const plan = early(scenario);
  await scenario.start(plan);
  await scenario.until(plan, isWaiting);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  expect(snapshot.tasks[0]?.endpointUrl).toMatch(/\/v1\/completions$/);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a cancel while the job waits ends the job before its endpoint, and leaves nothing', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '60s'], ['Ready']] } },
    jobs: { default: { states: [['Running', '1h'], ['Completed']] } },
  });
  const plan = early(scenario);
  await scenario.start(plan);
  await scenario.until(plan, isWaiting);
  await scenario.cancel(plan);
  expect((await scenario.closed(plan)).status).toBe('cancelled');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('an endpoint that fails while its job waits ends the job', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '20s'], ['Error']], message: 'image pull failed' } },
    jobs: { default: { states: [['Running', '1h'], ['Completed']] } },
  });
  const plan = early(scenario);
  await scenario.start(plan);
  await scenario.until(plan, isWaiting);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('failed');
  expect(snapshot.tasks[0]?.error).toMatchObject({
    type: 'EndpointFailed',
    message: expect.stringContaining('image pull failed'),
  });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a job that fails while it waits takes its endpoint with it', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '60s'], ['Ready']] } },
    jobs: { default: { states: [['Running', '1s'], ['Failed']], log: 'no such image' } },
  });
  const plan = early(scenario);
  await scenario.start(plan);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks[0]?.error?.type).toBe('JobFailed');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('two models in one run: each task has the endpoint of its own model', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Ready']] } },
    jobs: { default: { states: [['Running', '300ms'], ['Completed']] } },
  });
  const bare = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag', 'winogrande'] });
  if (bare.endpoint.kind !== 'dedicated') throw new Error('not a plan with endpoints');
  const { spec, probe } = bare.endpoint;
  const other: EndpointPlan = {
    kind: 'dedicated',
    spec: { ...spec, envs: [{ name: 'SERVED_MODEL_NAME', value: 'other/model' }] },
    probe: { ...probe, servedModel: 'other/model' },
  };
  const [first, second] = bare.tasks;
  if (!first || !second) throw new Error('two tasks are missing');
  const tasks = [
    { ...first, name: 'base/hellaswag', model: 'base' },
    { ...second, name: 'other/hellaswag', model: 'other', endpoint: other },
  ];
  const plan: RunPlan = { ...bare, tasks };
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  // An endpoint that served the wrong model would have failed its task.
  expect(status).toBe('succeeded');
  expect(snapshot.tasks.map(({ name, model }) => [name, model])).toEqual([
    ['base/hellaswag', 'base'],
    ['other/hellaswag', 'other'],
  ]);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
