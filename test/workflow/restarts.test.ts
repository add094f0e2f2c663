import { creations, emptyInventory, startBench, type Bench } from '../support/bench';
import { runPlan } from '../support/plans';

/** A worker that is replaced again and again, as by a rollout that goes wrong, while the same waits go on. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

test('a wait for an endpoint and one for a job outlive ten workers each: no limit is used up, nothing is created twice', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '12s'], ['Ready']] } },
    jobs: { default: { states: [['Running', '1h'], ['Completed']] } },
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  await scenario.start(plan);
  for (const phase of ['awaiting ready', 'running job']) {
    await scenario.until(plan, ({ tasks: [task] }) => task?.phase === phase);
    for (let worker = 0; worker < 10; worker += 1) await scenario.startWorker();
  }
  // An end that only a wait which still goes on can see.
  expect(await scenario.platform.endJobs('*', 'memory')).toBe(1);
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, error: snapshot.tasks[0]?.error }).toEqual({
    status: 'failed',
    error: { type: 'JobFailed', message: expect.stringContaining('OOMKilled') },
  });
  expect(await creations(scenario.platform, '/deployments')).toBe(1);
  expect(await creations(scenario.platform, '/jobs')).toBe(1);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
