import { readFile } from 'node:fs/promises';
import { batchWorkflowId, runWorkflowId, tasksPerBatch } from '../../src/contract/identity';
import { emptyInventory, plainBundle, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';

/** The batches of a run begin one after the other, so that another run needs not wait for the first steps of all its tasks. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const tasks = Array.from({ length: tasksPerBatch + 1 }, (_, index) => `task-${index}`);

async function eventsOf({ client }: Scenario, invocation: string) {
  const { events } = await client.workflow.getHandle(runWorkflowId(invocation)).fetchHistory();
  return events ?? [];
}

const untilBegun = ({ client }: Scenario, invocation: string, batch: number): Promise<void> =>
  until(
    `batch ${batch} begins`,
    () =>
      client.workflow
        .getHandle(batchWorkflowId(invocation, batch))
        .describe()
        .then(
          () => true,
          () => false,
        ),
    120_000,
  );

/** Workflow code in which a batch begins only once tasks of the one before have, however slow these are. */
async function patientCode(): Promise<string> {
  const code = await readFile(plainBundle, 'utf8');
  const patient = code.replace('longestPauseMs = 5_000;', 'longestPauseMs = 3_600_000;');
  if (patient === code) throw new Error('the bundle does not have longestPauseMs');
  return patient;
}

test('a further batch begins once tasks of the one before have', async () => {
  const scenario = await bench.scenario(
    { endpoints: { default: { states: [['Starting', '1h'], ['Ready']] } } },
    { workflows: { code: await patientCode() } },
  );
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks });
  await scenario.start(plan);
  await untilBegun(scenario, plan.invocation, 1);
  const events = await eventsOf(scenario, plan.invocation);
  const told = events.findIndex(
    ({ workflowExecutionSignaledEventAttributes: signal }) => signal?.signalName === 'tasksProgress',
  );
  const starts = events.flatMap(({ startChildWorkflowExecutionInitiatedEventAttributes: start }, at) =>
    start ? [{ id: start.workflowId, at }] : [],
  );
  expect(starts.map(({ id }) => id)).toEqual([0, 1].map((batch) => batchWorkflowId(plan.invocation, batch)));
  expect(starts[1]?.at).toBeGreaterThan(told);
  expect(events.some(({ timerFiredEventAttributes: fired }) => fired)).toBe(false);
  await scenario.cancel(plan);
  expect((await scenario.closed(plan)).status).toBe('cancelled');
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test('it begins after some seconds where nothing is heard of the tasks before: their machine may be asleep', async () => {
  const scenario = await bench.scenario();
  const home = { taskQueue: `${scenario.taskQueue}-asleep`, holdsSecrets: true };
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks, change: { home } });
  await scenario.start(plan);
  await untilBegun(scenario, plan.invocation, 1);
  const events = await eventsOf(scenario, plan.invocation);
  expect(events.filter(({ timerFiredEventAttributes: fired }) => fired)).toHaveLength(1);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  await scenario.client.workflow.getHandle(runWorkflowId(plan.invocation)).terminate();
});
