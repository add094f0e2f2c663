import { emptyInventory, startBench, type Bench } from '../support/bench';
import { runPlan } from '../support/plans';
import { patientLimits, taskNames, workerFleet } from './workers';

/** Part of `npm run test:cluster`, whose server has task queue fairness switched on. */

let bench: Bench;
const fleet = workerFleet(() => bench.env.address);
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  await fleet.end();
  await bench.close();
});

test('a run of 3 tasks that comes after one of 60, on a worker with 8 places, is not kept waiting for it', async () => {
  const scenario = await bench.scenario();
  await (
    await scenario.startWorker()
  )();
  await fleet.on(scenario).start({ EVALSAGA_MAX_ACTIVITIES: '8' });
  const { outputRoot } = scenario;
  const large = runPlan({ outputRoot, tasks: taskNames(60), limits: patientLimits });
  await scenario.start(large);
  await scenario.until(large, ({ tasks: seen }) => seen.some(({ phase }) => phase !== 'pending'));
  const small = runPlan({ outputRoot, tasks: ['small-a', 'small-b', 'small-c'], limits: patientLimits });
  await scenario.start(small);
  expect((await scenario.closed(small)).status).toBe('succeeded');
  const meanwhile = await scenario.describe(large);
  expect((await scenario.closed(large)).status).toBe('succeeded');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  const over = meanwhile.snapshot.tasks.filter(({ outcome }) => outcome !== null).length;
  process.stderr.write(`tasks of the large run that were over when the small one was: ${over}\n`);
  expect(meanwhile.status).toBe('running');
  // None to 11 were seen; on a server without fairness, where steps are taken as they come, all 60.
  expect(over).toBeLessThan(30);
}, 300_000);
