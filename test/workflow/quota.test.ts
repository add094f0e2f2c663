import { quotaWorkflowId } from '../../src/contract/endpoint-quota';
import { runWorkflowId } from '../../src/contract/identity';
import { quotaStatus } from '../../src/contract/messages';
import type { RunPlan } from '../../src/contract/plan';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** Runs share a limited number of endpoints, in the order in which they ask. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const environment = { EVALSAGA_MAX_ENDPOINTS: '3' };
const states = [['Running', '2s'], ['Completed']] as [string, string?][];

const limited = (jobs = states): Promise<Scenario> =>
  bench.scenario({ jobs: { default: { states: jobs } } }, { environment });

const planOf = ({ outputRoot }: Scenario, tasks: number, change: Partial<RunPlan> = {}): RunPlan =>
  runPlan({ outputRoot, tasks: Array.from({ length: tasks }, (_, index) => `task-${index}`), change });

/** How many endpoints there were at most, as the platform's requests tell. */
async function mostAtOnce({ platform }: Scenario): Promise<number> {
  let [now, most] = [0, 0];
  for (const { method, path: route, status } of await platform.requests()) {
    if (status < 200 || status >= 300) continue;
    if (method === 'POST' && route === '/deployments') most = Math.max(most, (now += 1));
    if (method === 'DELETE' && route.startsWith('/deployments/')) now -= 1;
  }
  return most;
}

const waits = /waits for 2 endpoints: 2 of at most 3 are in use/;

test.concurrent('a run that finds too few endpoints waits, says so, and goes on when there are enough', async () => {
  const scenario = await limited();
  const [first, second] = [planOf(scenario, 2), planOf(scenario, 2)];
  await scenario.start(first);
  await scenario.until(first, ({ tasks }) => tasks.every(({ phase }) => phase !== 'pending'));
  await scenario.start(second);
  const waiting = await scenario.until(second, ({ tasks }) => waits.test(tasks[0]?.message ?? ''));
  expect(waiting.tasks.map(({ phase }) => phase)).toEqual(['pending', 'pending']);
  expect((await scenario.closed(first)).status).toBe('succeeded');
  expect((await scenario.closed(second)).status).toBe('succeeded');
  expect(await mostAtOnce(scenario)).toBeLessThanOrEqual(3);
  // With the last claim the quota's workflow ends.
  const quota = bench.client.workflow.getHandle(quotaWorkflowId(scenario.taskQueue));
  await quota.result();
  expect((await quota.query(quotaStatus)).accounts).toEqual([]);
});

test.concurrent(
  'what a terminated run had comes back; a run that is cancelled while it waits takes nothing',
  async () => {
    const scenario = await limited([['Running', '60s'], ['Completed']]);
    const [first, cancelled, last] = [planOf(scenario, 2), planOf(scenario, 2), planOf(scenario, 1)];
    await scenario.start(first);
    await scenario.until(first, ({ tasks }) => tasks.every(({ phase }) => phase === 'running job'));
    await scenario.start(cancelled);
    await scenario.until(cancelled, ({ tasks }) => waits.test(tasks[0]?.message ?? ''));
    await scenario.start(last);
    await scenario.until(last, ({ tasks }) => / 1 run is before it/.test(tasks[0]?.message ?? ''));
    await scenario.cancel(cancelled);
    expect((await scenario.closed(cancelled)).status).toBe('cancelled');
    // Nobody stands before it any more, and one endpoint was free all the time.
    await scenario.until(last, ({ tasks }) => tasks[0]?.phase === 'running job');
    const next = planOf(scenario, 3);
    await scenario.start(next);
    await scenario.until(next, ({ tasks }) => /waits for 3 endpoints/.test(tasks[0]?.message ?? ''));
    await bench.client.workflow.getHandle(runWorkflowId(first.invocation)).terminate('test');
    await scenario.cancel(last);
    await scenario.until(next, ({ tasks }) => tasks.some(({ phase }) => phase === 'running job'));
    await scenario.cancel(next);
    await scenario.closed(next);
    expect(await mostAtOnce(scenario)).toBe(3);
  },
  100_000,
);

test.concurrent('without a barrier a run of many tasks takes as many endpoints as there are', async () => {
  const scenario = await limited([['Running', '200ms'], ['Completed']]);
  const plan = planOf(scenario, 7, { startPolicy: 'as_ready' });
  await scenario.start(plan);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  expect(await mostAtOnce(scenario)).toBe(3);
});

test.concurrent('a run that needs more at once than there may be is refused before anything is created', async () => {
  const scenario = await limited();
  const plan = planOf(scenario, 4);
  await scenario.start(plan);
  const { failure } = await scenario.closed(plan);
  expect(failure?.type).toBe('RunNotAdmitted');
  expect(failure?.message).toMatch(/needs 4 endpoints .* at most 3 .*execution\.max_parallel_endpoints=3/);
  expect(await mostAtOnce(scenario)).toBe(0);
  const waves = planOf(scenario, 4, { maxParallelEndpoints: 3 });
  await scenario.start(waves);
  expect((await scenario.closed(waves)).status).toBe('succeeded');
});
