import { performance } from 'node:perf_hooks';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** A run of many tasks against Temporal's bounds. Also of a thousand, by hand: `EVALSAGA_TEST_TASKS=1000 npx jest large-run`. */
const count = Number(process.env['EVALSAGA_TEST_TASKS'] ?? 120);

/** Temporal ends a workflow with more than 51,200 events, 50 MB of history, or 10,000 signals. */
const bounds = { events: 51_200, bytes: 50e6, signals: 10_000, tasks: 1_000 };

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

async function measured(scenario: Scenario, id: string) {
  const handle = scenario.client.workflow.getHandle(id);
  const { raw } = await handle.describe();
  const { events = [] } = await handle.fetchHistory();
  const kinds = (name: string) => (events ?? []).filter((event) => name in event && event[name as keyof typeof event]);
  return {
    events: events?.length ?? 0,
    bytes: Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0),
    signals: kinds('workflowExecutionSignaledEventAttributes').length,
    turns: kinds('workflowTaskCompletedEventAttributes').length,
  };
}

test(`${count} tasks: the run's history stays in proportion, and commands answer meanwhile`, async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Queueing', '1s'], ['Starting', '2s', 'pulling'], ['Ready']] } },
    jobs: { default: { states: [['Queueing', '1s'], ['Running', '5s'], ['Completed']] } },
  });
  const tasks = Array.from({ length: count }, (_, index) => `task-${index}`);
  const plan = runPlan({
    outputRoot: scenario.outputRoot,
    tasks,
    limits: { endpointReadySeconds: 600, jobSeconds: 600, teardownSeconds: 600 },
  });
  const begun = performance.now();
  await scenario.start(plan);
  const looks: number[] = [];
  let over = false;
  const looking = (async () => {
    while (!over) {
      const at = performance.now();
      over = (await scenario.describe(plan)).status !== 'running';
      looks.push(performance.now() - at);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  await looking;
  const { status, snapshot } = await scenario.describe(plan);
  const seconds = (performance.now() - begun) / 1000;
  const run = await measured(scenario, runWorkflowId(plan.invocation));
  const task = await measured(scenario, taskWorkflowId(plan.invocation, 0));
  const slowest = Math.max(...looks);
  const rss = process.memoryUsage().rss / 1e6;
  console.log(JSON.stringify({ count, seconds, run, task, slowest, looks: looks.length, rss }));
  expect({ status, outcomes: snapshot.tasks.filter(({ outcome }) => outcome !== 'succeeded') }).toEqual({
    status: 'succeeded',
    outcomes: [],
  });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  expect((run.events / count) * bounds.tasks).toBeLessThan(bounds.events);
  expect((run.signals / count) * bounds.tasks).toBeLessThan(bounds.signals);
  expect((run.bytes / count) * bounds.tasks).toBeLessThan(bounds.bytes);
});
