import { temporal } from '@temporalio/proto';
import { batchWorkflowId, runWorkflowId, taskWorkflowId, tasksPerBatch } from '../../src/contract/identity';
import type { RunPlan } from '../../src/contract/plan';
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

test('a run of 3 tasks beside one of 60, on a worker with 8 places: they take turns', async () => {
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
  const over = meanwhile.snapshot.tasks.filter(({ outcome }) => outcome !== null).length;
  expect((await scenario.closed(large)).status).toBe('succeeded');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);

  const own = await activityStarts(small);
  const [first = 0, last = 0] = [Math.min(...own), Math.max(...own)];
  const theirs = (await activityStarts(large)).filter((at) => at >= first && at <= last);
  process.stderr.write(
    `steps of the small run: ${own.length}, of the large one meanwhile: ${theirs.length}, its tasks over: ${over}\n`,
  );
  expect(meanwhile.status).toBe('running');
  // The small run has three of the eight places, and waits in between: 4 steps of the large one for each of its own were seen. On a server
  // without fairness, where steps are taken as they come, 14.
  expect(theirs.length / own.length).toBeLessThan(8);
  expect(over).toBeLessThan(30);
}, 300_000);

/** When the activities of a run, its batches and its tasks were taken by a worker, milliseconds by Temporal's clock. */
async function activityStarts({ invocation, tasks }: RunPlan): Promise<number[]> {
  const batches = tasks.length > 50 ? Math.ceil(tasks.length / tasksPerBatch) : 0;
  const ids = [
    runWorkflowId(invocation),
    ...Array.from({ length: batches }, (_, batch) => batchWorkflowId(invocation, batch)),
    ...tasks.map(({ index }) => taskWorkflowId(invocation, index)),
  ];
  const histories = await Promise.all(ids.map((id) => bench.client.workflow.getHandle(id).fetchHistory()));
  const { EVENT_TYPE_ACTIVITY_TASK_STARTED: started } = temporal.api.enums.v1.EventType;
  return histories.flatMap(({ events }) =>
    (events ?? [])
      .filter(({ eventType }) => eventType === started)
      .map(({ eventTime }) => Number(eventTime?.seconds ?? 0) * 1000 + (eventTime?.nanos ?? 0) / 1e6),
  );
}
