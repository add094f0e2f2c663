import { setTimeout as sleep } from 'node:timers/promises';
import type { RunPlan } from '../../src/contract/plan';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** The worker is away longer than every limit: a closed laptop, a failed rollout. Time without a worker does not count. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const tasks = ['hellaswag'];
const phase =
  (wanted: string) =>
  (scenario: Scenario, plan: RunPlan): Promise<unknown> =>
    scenario.until(plan, ({ tasks: [task] }) => task?.phase === wanted);

async function setFaults({ platform: { url, token } }: Scenario, faults: readonly object[]): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  await fetch(new URL('/__sim/plan', url), { method: 'POST', headers, body: JSON.stringify({ faults }) });
}

const asked = async ({ platform }: Scenario, method: string, route: RegExp): Promise<number> =>
  (await platform.requests()).filter((request) => request.method === method && route.test(request.path)).length;

test.concurrent('a removal in progress continues when the worker is back', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '1h'], ['Completed']] } },
    faults: [{ on: 'DELETE /deployments/*', times: 'inf', respond: 503 }],
  });
  const stopWorker = await scenario.startWorker();
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks, limits: { teardownSeconds: 12 } });
  await scenario.start(plan);
  await phase('running job')(scenario, plan);
  await scenario.cancel(plan);
  while ((await asked(scenario, 'DELETE', /^\/deployments\//)) === 0) await sleep(50);
  await stopWorker();
  await setFaults(scenario, []);
  await sleep(14_000);
  await scenario.startWorker();
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, left: snapshot.left }).toEqual({ status: 'cancelled', left: [] });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent.each([
  ['an endpoint that became Ready', 'awaiting ready', { endpointReadySeconds: 10 }],
  ['a job that ended', 'running job', { jobSeconds: 10 }],
] as const)('%s while no worker ran is in time', async (_, during, limits) => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '8s'], ['Ready']] } },
    jobs: { default: { states: [['Running', '8s'], ['Completed']] } },
  });
  const stopWorker = await scenario.startWorker();
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks, limits });
  await scenario.start(plan);
  await phase(during)(scenario, plan);
  await stopWorker();
  await sleep(14_000);
  await scenario.startWorker();
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, error: snapshot.tasks[0]?.error }).toEqual({ status: 'succeeded', error: null });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
