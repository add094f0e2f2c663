import { createLeptonClient } from '../../src/lepton/client';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** One wrong 404 of a gateway must neither leave an endpoint behind nor cost a task its results. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const one = ['hellaswag'];
const empty = { deployments: [], jobs: [], storage: [] };

/** As a gateway without a route, or a service in trouble, answers. */
const wrong404s: readonly (readonly [string, object])[] = [
  ['an empty 404', { respond: 404, body: '' }],
  ['a page', { respond: 404, body: '<html>default backend - 404</html>' }],
  ['JSON of a gateway', { respond: 404, body: { message: 'no Route matched with those values' } }],
  ['the words of the service', { respond: 404, body: { code: 'ResourceNotFound', message: 'not found' } }],
];

const asked = async ({ platform }: Scenario, method: string, start: string): Promise<number> =>
  (await platform.requests()).filter((request) => request.method === method && request.path.startsWith(start)).length;

describe('the endpoint is deleted, and the task succeeds', () => {
  test.concurrent.each(wrong404s)('every look at an endpoint by its name gets %s', async (_, answer) => {
    const scenario = await bench.scenario({ faults: [{ on: 'GET /deployments/*', times: 'inf', ...answer }] });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, left: snapshot.left }).toEqual({ status: 'succeeded', left: [] });
    expect(await scenario.platform.inventory()).toEqual(empty);
  });

  test.concurrent.each(wrong404s)('listings get %s three times in a row', async (_, answer) => {
    const faults = ['GET /deployments', 'GET /jobs'].map((on) => ({ on, times: 3, ...answer }));
    const scenario = await bench.scenario({ faults });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, left: snapshot.left }).toEqual({ status: 'succeeded', left: [] });
    expect(await scenario.platform.inventory()).toEqual(empty);
  });
});

test.concurrent('no endpoint is called gone before its DELETE was sent', async () => {
  const scenario = await bench.scenario();
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  const name = plan.tasks[0]?.endpointName ?? '';
  await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'running job');
  const client = createLeptonClient(scenario.platform);
  await client.deleteDeployment(name);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.left).toEqual([]);
  // Ours by hand, and the task's own, although all could see that it was gone.
  expect(await asked(scenario, 'DELETE', `/deployments/${name}`)).toBeGreaterThanOrEqual(2);
});

test.concurrent('a workspace that does not say its dialect for a while: nothing is guessed, nothing lost', async () => {
  const faults = [{ on: 'GET /workspace', times: 12, respond: 503 }];
  const scenario = await bench.scenario({ faults });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, left: snapshot.left }).toEqual({ status: 'succeeded', left: [] });
  expect(await scenario.platform.inventory()).toEqual(empty);
});

test.concurrent('an endpoint that stays Deleting gets one DELETE, and is looked at ever more rarely', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '100ms'], ['Ready']], deleting: '20s' } },
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one, limits: { teardownSeconds: 60 } });
  await scenario.start(plan);
  const { status } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  const name = plan.tasks[0]?.endpointName ?? '';
  expect(await asked(scenario, 'DELETE', `/deployments/${name}`)).toBe(1);
  const requests = (await scenario.platform.requests()).map((request, at) => ({ ...request, at }));
  const from = requests.findIndex(({ method, path }) => method === 'DELETE' && path.startsWith('/deployments/'));
  const looks = requests.slice(from).filter(({ method, path }) => method === 'GET' && path === `/deployments/${name}`);
  expect(looks.length).toBeLessThan(30);
});

test.concurrent(
  'states are understood in any case, and those in between are neither failures nor outcomes',
  async () => {
    const scenario = await bench.scenario({
      endpoints: {
        default: {
          states: [
            ['starting', '200ms'],
            ['ready', '1s'],
            ['Migrating', '600ms'],
            ['READY', '1s'],
            ['Restarting', '600ms'],
            ['', '300ms'],
            ['ready'],
          ],
        },
      },
      jobs: {
        default: {
          states: [['queueing', '100ms'], ['', '300ms'], ['RUNNING', '3s'], ['Restarting', '500ms'], ['completed']],
        },
      },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, errors: snapshot.tasks.map(({ error }) => error) }).toEqual({
      status: 'succeeded',
      errors: [null],
    });
    expect(await scenario.platform.inventory()).toEqual(empty);
  },
);

test.concurrent('FAILED is a failure at once', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['running', '300ms'], ['FAILED']] } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks[0]?.error).toMatchObject({ type: 'JobFailed', message: expect.stringContaining('FAILED') });
});
