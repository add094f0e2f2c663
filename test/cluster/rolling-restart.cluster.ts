import { setTimeout as sleep } from 'node:timers/promises';
import { creations, emptyInventory, startBench, type Bench } from '../support/bench';
import { runPlan } from '../support/plans';
import { patientLimits, taskNames, workerFleet } from './workers';

/** What only a cluster shows, and takes minutes: part of `npm run test:cluster`. */

let bench: Bench;
const fleet = workerFleet(() => bench.env.address);
beforeAll(async () => {
  bench = await startBench();
});
afterAll(async () => {
  await fleet.end();
  await bench.close();
});

test('three workers are restarted one by one under load: nothing fails, and nothing is created twice', async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Starting', '5s'], ['Ready']] } },
    jobs: { default: { states: [['Running', '20s'], ['Completed']] } },
  });
  await (
    await scenario.startWorker()
  )();
  const workers = fleet.on(scenario);
  let serving = await Promise.all([1, 2, 3].map(() => workers.start()));
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: taskNames(30), limits: patientLimits });
  await scenario.start(plan);
  for (let round = 0; round < 3; round += 1) {
    const [oldest, ...others] = serving;
    const next = await workers.start();
    oldest?.signal('SIGTERM');
    expect((await oldest?.finished)?.code).toBe(0);
    serving = [...others, next];
    await sleep(2_000);
  }
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, left: snapshot.left }).toEqual({ status: 'succeeded', left: [] });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  expect(await creations(scenario.platform, '/deployments')).toBe(30);
  expect(await creations(scenario.platform, '/jobs')).toBe(30);
}, 300_000);
