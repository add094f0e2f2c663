import { emptyInventory, startBench, type Bench } from '../support/bench';
import { runPlan } from '../support/plans';
import type { SimulatedPlan } from '../support/simulated';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const upSoon = { states: [['Starting', '100ms'], ['Ready']] };
const jobSoon = { states: [['Running', '300ms'], ['Completed']] };

/** Runs three tasks of which the second is stuck: it must end in bounded time, with the reason, and harm no other. */
async function stuck(simulated: SimulatedPlan, limits: object) {
  const scenario = await bench.scenario(simulated);
  const plan = runPlan({ outputRoot: scenario.outputRoot, limits });
  const begin = Date.now();
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(Date.now() - begin).toBeLessThan(60_000);
  expect(status).toBe('failed');
  expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'failed', 'succeeded']);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  return snapshot.tasks[1]?.error;
}

test('a model server that lists its model but never answers a completion', async () => {
  const error = await stuck(
    { endpoints: { default: upSoon, match: [{ name: '*arc*', ...upSoon, hangs: true }] } },
    { endpointReadySeconds: 9 },
  );
  expect(error).toEqual({
    type: 'EndpointReadinessTimeout',
    message: expect.stringMatching(/after 9 s.*\/v1\/completions does not answer/),
  });
});

test('a job that never leaves the queue', async () => {
  const error = await stuck(
    {
      jobs: {
        default: jobSoon,
        match: [{ name: '*arc*', states: [['Queueing', '1h', 'no shape cpu.small is free'], ['Completed']] }],
      },
    },
    { jobSeconds: 6 },
  );
  expect(error).toEqual({
    type: 'JobTimeout',
    message: expect.stringMatching(/within 6 s.*Queueing.*no shape cpu.small is free/),
  });
});

test('an endpoint that flaps while its job runs', async () => {
  const flapping = {
    states: [['Starting', '100ms'], ['Ready', '4s'], ['Error', '3s', 'CUDA error: device lost'], ['Ready']],
  };
  const error = await stuck(
    {
      endpoints: { default: upSoon, match: [{ name: '*arc*', ...flapping }] },
      jobs: { default: jobSoon, match: [{ name: '*arc*', states: [['Running', '20s'], ['Completed']] }] },
    },
    {},
  );
  expect(error).toEqual({
    type: 'EndpointFailed',
    message: expect.stringMatching(/died while its job ran: Error.*device lost/),
  });
});

test('an endpoint that is Ready by name, with no replica', async () => {
  const error = await stuck(
    { endpoints: { default: upSoon, match: [{ name: '*arc*', ...upSoon, replicas: 0 }] } },
    { endpointReadySeconds: 4 },
  );
  expect(error).toEqual({
    type: 'EndpointReadinessTimeout',
    message: expect.stringMatching(/after 4 s.*no replica is up/),
  });
});
