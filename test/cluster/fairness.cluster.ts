import type { temporal } from '@temporalio/proto';
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

  const [own, others] = [await stepsOf(small), await stepsOf(large)];
  const waits = own.map((step) => overtaking(step, others));
  const [ahead, overtaken] = [sum(waits.map((one) => one.ahead)), sum(waits.map((one) => one.overtaken))];
  process.stderr.write(
    `steps of the small run: ${own.length}; of the large one ${ahead} waited ahead of them, ${overtaken} of which they overtook; its tasks over: ${over}\n`,
  );
  expect(meanwhile.status).toBe('running');
  // On a server without fairness steps are taken as they come.
  expect(ahead).toBeGreaterThan(own.length);
  expect(overtaken / ahead).toBeGreaterThan(0.5);
  expect(over).toBeLessThan(30);
}, 300_000);

interface Step {
  readonly queue: string;
  /** By Temporal's clock, milliseconds; as are those of `startedAt`. */
  readonly scheduledAt: number;
  /** Taken by a worker. */
  readonly startedAt: number;
}

/** How many of the others waited in the same queue when a step came, and how many of these were taken after it. */
function overtaking(step: Step, others: readonly Step[]): { ahead: number; overtaken: number } {
  const ahead = others.filter(
    ({ queue, scheduledAt, startedAt }) =>
      queue === step.queue && scheduledAt < step.scheduledAt && startedAt > step.scheduledAt,
  );
  return { ahead: ahead.length, overtaken: ahead.filter(({ startedAt }) => startedAt > step.startedAt).length };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

/** The activities of a run, its batches and its tasks, but for those that were tried again. */
async function stepsOf({ invocation, tasks }: RunPlan): Promise<Step[]> {
  const batches = tasks.length > 50 ? Math.ceil(tasks.length / tasksPerBatch) : 0;
  const ids = [
    runWorkflowId(invocation),
    ...Array.from({ length: batches }, (_, batch) => batchWorkflowId(invocation, batch)),
    ...tasks.map(({ index }) => taskWorkflowId(invocation, index)),
  ];
  const histories = await Promise.all(ids.map((id) => bench.client.workflow.getHandle(id).fetchHistory()));
  return histories.flatMap(({ events }) => stepsIn(events ?? []));
}

type Event = temporal.api.history.v1.IHistoryEvent;

function stepsIn(events: readonly Event[]): Step[] {
  const byId = new Map(events.map((event) => [String(event.eventId), event]));
  return events.flatMap((event) => {
    const { attempt, scheduledEventId } = event.activityTaskStartedEventAttributes ?? {};
    const scheduled = byId.get(String(scheduledEventId));
    if (attempt !== 1 || !scheduled) return [];
    const queue = scheduled.activityTaskScheduledEventAttributes?.taskQueue?.name ?? '';
    return { queue, scheduledAt: timeOf(scheduled), startedAt: timeOf(event) };
  });
}

const timeOf = ({ eventTime }: Event): number => Number(eventTime?.seconds ?? 0) * 1000 + (eventTime?.nanos ?? 0) / 1e6;
