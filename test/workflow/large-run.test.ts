import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { batchWorkflowId, runWorkflowId, taskWorkflowId, tasksPerBatch } from '../../src/contract/identity';
import { emptyInventory, startBench, type Bench } from '../support/bench';
import { historyCounts } from '../support/histories';
import { runPlan } from '../support/plans';

/** A run of several batches within Temporal's limits. By hand with 1,000: `EVALSAGA_TEST_TASKS=1000 npx jest large-run`. */
const count = Number(process.env['EVALSAGA_TEST_TASKS'] ?? 110);
/** Generous, because one machine runs Temporal, worker and platform. */
const waitSeconds = Math.max(600, 5 * count);
jest.setTimeout(1_000 * waitSeconds);

/** Of the histories. */
const bounds = { eventsOfTask: 60, turnsOfTask: 12, eventsPerTask: 8, bytesPerTask: 4_000, payload: 65_536 };

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

test(`${count} tasks: histories stay small, no job is submitted before all endpoints are Ready, and the run can be described meanwhile`, async () => {
  const scenario = await bench.scenario({
    endpoints: { default: { states: [['Queueing', '1s'], ['Starting', '2s'], ['Ready']] } },
    jobs: { default: { states: [['Queueing', '500ms'], ['Running', '2s'], ['Completed']] } },
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
  while (!over) {
    const at = performance.now();
    over = (await scenario.describe(plan)).status !== 'running';
    looks.push(performance.now() - at);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  const { status, snapshot } = await scenario.describe(plan);
  const seconds = (performance.now() - begun) / 1000;
  const run = await historyCounts(scenario.client, runWorkflowId(plan.invocation));
  const batch = await historyCounts(scenario.client, batchWorkflowId(plan.invocation, 0));
  // On a busy machine a task may need a further step here and there.
  const tasksSeen = await Promise.all(
    [0, 1, 2, 50, 99, 100, count - 1].map((index) =>
      historyCounts(scenario.client, taskWorkflowId(plan.invocation, index)),
    ),
  );
  const task = tasksSeen.reduce((least, one) => (one.events < least.events ? one : least));
  const rss = Math.round(process.memoryUsage().rss / 1e6);
  console.log(JSON.stringify({ count, seconds, run, batch, task, slowestLook: Math.max(...looks), rss }));

  expect({ status, others: snapshot.tasks.filter(({ outcome }) => outcome !== 'succeeded') }).toEqual({
    status: 'succeeded',
    others: [],
  });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
  // The snapshot is too large to be passed on: the record asks the run for it.
  const record = JSON.parse(await readFile(path.join(plan.outputDir, 'run.json'), 'utf8')) as { tasks: unknown[] };
  expect(record).toMatchObject({ outcome: 'succeeded', tasks: Array<unknown>(count).fill({ outcome: 'succeeded' }) });
  const requests = await scenario.platform.requests();
  const isCreate = ({ method, path }: { method: string; path: string }, route: string) =>
    method === 'POST' && path === route;
  const firstJob = requests.findIndex((request) => isCreate(request, '/jobs'));
  const lastEndpoint = requests.findLastIndex((request) => isCreate(request, '/deployments'));
  expect(firstJob).toBeGreaterThan(lastEndpoint);
  // A create whose answer is lost is sent again, and answered 409 if it took effect.
  const creates = requests.filter((request) => isCreate(request, '/deployments') && request.status !== 409);
  expect(creates).toHaveLength(count);

  expect(run.events).toBeLessThanOrEqual(count * bounds.eventsPerTask);
  expect(run.bytes).toBeLessThanOrEqual(count * bounds.bytesPerTask);
  expect(batch.events).toBeLessThanOrEqual(tasksPerBatch * 20);
  for (const { largest } of [run, batch, ...tasksSeen]) expect(largest.bytes).toBeLessThanOrEqual(bounds.payload);
  expect(task.events).toBeLessThanOrEqual(bounds.eventsOfTask);
  expect(task.turns).toBeLessThanOrEqual(bounds.turnsOfTask);
});
