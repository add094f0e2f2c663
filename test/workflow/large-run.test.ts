import { performance } from 'node:perf_hooks';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import { signalsPerTask } from '../../src/workflows/signal-budget';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** A run of many tasks within Temporal's limits. By hand with 1,000: `EVALSAGA_TEST_TASKS=1000 npx jest large-run`. */
const count = Number(process.env['EVALSAGA_TEST_TASKS'] ?? 60);
/** Generous, because one machine runs Temporal, worker and platform. */
const waitSeconds = Math.max(600, 5 * count);

/** Temporal terminates a workflow above 50 MB of history; a run of 1,000 tasks must stay far below that. */
const bounds = { bytes: 25e6, tasks: 1_000 };

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
  const signals = kinds('workflowExecutionSignaledEventAttributes').length;
  const turnEvents = kinds('workflowTaskScheduledEventAttributes').length * 3;
  return {
    events: events?.length ?? 0,
    bytes: Number(raw.workflowExecutionInfo?.historySizeBytes ?? 0),
    signals,
    turns: kinds('workflowTaskCompletedEventAttributes').length,
    others: (events?.length ?? 0) - signals - turnEvents,
  };
}

test(`${count} tasks: the run's history grows no faster than their number, and the run can be described meanwhile`, async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Queueing', '1s'], ['Starting', '2s', 'pulling'], ['Ready']] } },
    jobs: { default: { states: [['Queueing', '1s'], ['Running', '5s'], ['Completed']] } },
  });
  const tasks = Array.from({ length: count }, (_, index) => `task-${index}`);
  const plan = runPlan({
    outputRoot: scenario.outputRoot,
    tasks,
    limits: { endpointReadySeconds: waitSeconds, jobSeconds: waitSeconds, teardownSeconds: waitSeconds },
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
  // history-bounds.test.ts relies on this: the signals allowed per task depend on the number of tasks, and each signal
  // causes one workflow task of the run, as do a task's start, Ready and end.
  const news = signalsPerTask({ tasks: count, isCounted: false });
  expect(run.signals).toBeLessThanOrEqual(count * (news + 1));
  expect(run.turns).toBeLessThanOrEqual(run.signals + 3 * count + 2);
  expect(run.others).toBeLessThanOrEqual(count * 6 + 10);
  expect((run.bytes / count) * bounds.tasks).toBeLessThan(bounds.bytes);
});
