import { createLeptonClient } from '../../src/lepton/client';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** A wrong 404 from a gateway must neither leave an endpoint behind nor lose a task's results. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const one = ['hellaswag'];
const empty = { deployments: [], jobs: [], storage: [] };

/** Answers of a gateway without a route, or of a failing service. */
const wrong404s: readonly (readonly [string, object])[] = [
  ['an empty 404', { respond: 404, body: '' }],
  ['an HTML 404', { respond: 404, body: '<html>default backend - 404</html>' }],
  ['the JSON 404 of a gateway', { respond: 404, body: { message: 'no Route matched with those values' } }],
  ['the 404 of the service itself', { respond: 404, body: { code: 'ResourceNotFound', message: 'not found' } }],
];

const asked = async ({ platform }: Scenario, method: string, start: string): Promise<number> =>
  (await platform.requests()).filter((request) => request.method === method && request.path.startsWith(start)).length;

describe('the endpoint is deleted, and the task succeeds', () => {
  test.concurrent.each(wrong404s)(
    'when every GET of an endpoint by its name is answered with %s',
    async (_, answer) => {
      const scenario = await bench.scenario({ faults: [{ on: 'GET /deployments/*', times: 'inf', ...answer }] });
      const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
      await scenario.start(plan);
      const { status, snapshot } = await scenario.closed(plan);
      expect({ status, left: snapshot.left }).toEqual({ status: 'succeeded', left: [] });
      expect(await scenario.platform.inventory()).toEqual(empty);
    },
  );

  test.concurrent.each(wrong404s)('when listings are answered with %s three times in a row', async (_, answer) => {
    const faults = ['GET /deployments', 'GET /jobs'].map((on) => ({ on, times: 3, ...answer }));
    const scenario = await bench.scenario({ faults });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, left: snapshot.left }).toEqual({ status: 'succeeded', left: [] });
    expect(await scenario.platform.inventory()).toEqual(empty);
  });
});

test.concurrent('an endpoint counts as removed only after a DELETE, even if it is already gone', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  const name = plan.tasks[0]?.endpointName ?? '';
  await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'running job');
  const client = createLeptonClient(scenario.platform);
  await client.deleteDeployment(name);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.left).toEqual([]);
  // One DELETE by this test and one by the task, although the endpoint was visibly gone.
  expect(await asked(scenario, 'DELETE', `/deployments/${name}`)).toBeGreaterThanOrEqual(2);
});

test.concurrent(
  'while the workspace does not reveal its API dialect, none is guessed, and the run still succeeds',
  async () => {
    const faults = [{ on: 'GET /workspace', times: 12, respond: 503 }];
    const scenario = await bench.scenario({ faults });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, left: snapshot.left }).toEqual({ status: 'succeeded', left: [] });
    expect(await scenario.platform.inventory()).toEqual(empty);
  },
);

test.concurrent('an endpoint that stays Deleting gets one DELETE, and is polled at growing intervals', async () => {
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
  'states are matched case-insensitively, and intermediate states are neither failures nor outcomes',
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

test.concurrent('a job in state FAILED fails its task', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['running', '300ms'], ['FAILED']] } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks[0]?.error).toMatchObject({ type: 'JobFailed', message: expect.stringContaining('FAILED') });
});
