import { quotaWorkflowId } from '../../src/contract/endpoint-quota';
import { runWorkflowId } from '../../src/contract/identity';
import { quotaStatus } from '../../src/contract/messages';
import type { RunPlan } from '../../src/contract/plan';
import { startInBatches } from '../support/batched-run';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan, withJudge } from '../support/plans';

/** Runs share a limited number of endpoints, in the order in which they ask. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const environment = { EVALSAGA_MAX_ENDPOINTS: '3' };
const states = [['Running', '2s'], ['Completed']] as [string, string?][];

const limited = (jobs = states): Promise<Scenario> =>
  bench.scenario({ jobs: { default: { states: jobs }, match: [longOnes] } }, { environment });

/** What a run has while another one is seen to wait for it. */
const longOnes = { name: '*-long-*', states: [['Running', '10s'], ['Completed']] };

const rolling = { startPolicy: 'as_ready' } as const;

const plainly = (scenario: Scenario, plan: RunPlan): Promise<void> => scenario.start(plan);

/** `long`: how many of the tasks are long ones. */
const planOf = ({ outputRoot }: Scenario, tasks: number, change: Partial<RunPlan> = {}, long = 0): RunPlan =>
  runPlan({
    outputRoot,
    tasks: Array.from({ length: tasks }, (_, index) => `${index < long ? 'long' : 'task'}-${index}`),
    change,
  });

/** The same with a judge that all tasks use. */
const judgedPlan = (scenario: Scenario, tasks: number, change: Partial<RunPlan> = {}, long = 0): RunPlan =>
  withJudge(planOf(scenario, tasks, change, long));

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
  const [first, second] = [planOf(scenario, 2, {}, 2), planOf(scenario, 2)];
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
    const scenario = await limited([['Running', '1h'], ['Completed']]);
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
);

test.concurrent('without a barrier a run of many tasks takes as many endpoints as there are', async () => {
  const scenario = await limited([['Running', '200ms'], ['Completed']]);
  const plan = planOf(scenario, 7, { startPolicy: 'as_ready' });
  await scenario.start(plan);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  expect(await mostAtOnce(scenario)).toBe(3);
});

test.concurrent.each([
  { how: 'all_ready', start: plainly, change: {}, needs: 2 },
  { how: 'all_ready in waves', start: startInBatches, change: { maxParallelEndpoints: 1 }, needs: 2 },
  { how: 'as_ready', start: plainly, change: { startPolicy: 'as_ready' }, needs: 2 },
  { how: 'as_ready in batches', start: startInBatches, change: { startPolicy: 'as_ready' }, needs: 2 },
] as const)(
  'a judge counts, and comes together with what else the run can not do without: $how',
  async ({ how, start, change, needs }) => {
    // Each would have its judge, and wait for the other's.
    const scenario = await bench.scenario(
      { jobs: { default: { states: [['Running', '1s'], ['Completed']] }, match: [longOnes] } },
      { environment: { EVALSAGA_MAX_ENDPOINTS: '2' } },
    );
    const tasks = how === 'all_ready' ? 1 : 2;
    const [first, second] = [judgedPlan(scenario, tasks, change, 1), judgedPlan(scenario, tasks, change)];
    await start(scenario, first);
    await scenario.until(first, ({ shared }) => shared?.[0]?.phase !== 'pending');
    await start(scenario, second);
    const waiting = await scenario.until(second, ({ phase }) => phase === 'waiting');
    const why = new RegExp(`^waits for ${needs} endpoints: 2 of at most 2 are in use`);
    expect([waiting.shared?.[0]?.message, waiting.tasks[0]?.message]).toEqual([
      expect.stringMatching(why),
      expect.stringMatching(why),
    ]);
    for (const plan of [first, second]) expect((await scenario.closed(plan)).status).toBe('succeeded');
    expect(await mostAtOnce(scenario)).toBe(2);
  },
);

test.concurrent('tasks in batches never have more than the limit; a cancel gives all places back', async () => {
  const scenario = await bench.scenario(
    { jobs: { default: { states: [['Running', '300ms'], ['Completed']] } } },
    { environment: { EVALSAGA_MAX_ENDPOINTS: '4' } },
  );
  const [whole, cancelled, last] = [planOf(scenario, 12, rolling), planOf(scenario, 12, rolling), planOf(scenario, 4)];
  await startInBatches(scenario, whole);
  await scenario.until(whole, ({ tasks }) => tasks.some(({ phase }) => phase !== 'pending'));
  await startInBatches(scenario, cancelled);
  // Places come over as tasks end.
  await scenario.until(cancelled, ({ tasks }) => tasks.some(({ outcome }) => outcome === 'succeeded'));
  await startInBatches(scenario, last);
  await scenario.cancel(cancelled);
  expect((await scenario.closed(cancelled)).status).toBe('cancelled');
  // It needs all places, and gets them although others could use them as well.
  expect((await scenario.closed(last)).status).toBe('succeeded');
  expect((await scenario.closed(whole)).status).toBe('succeeded');
  expect(await mostAtOnce(scenario)).toBe(4);
  await bench.client.workflow.getHandle(quotaWorkflowId(scenario.taskQueue)).result();
});

test.concurrent('a run that needs more at once than there may be is refused before anything is created', async () => {
  const scenario = await limited();
  const plan = planOf(scenario, 4);
  await scenario.start(plan);
  const { failure } = await scenario.closed(plan);
  expect(failure?.type).toBe('RunNotAdmitted');
  expect(failure?.message).toMatch(/needs 4 endpoints .* at most 3 .*execution\.max_parallel_endpoints=3/);
  expect(await mostAtOnce(scenario)).toBe(0);
  const judged = judgedPlan(scenario, 3);
  await scenario.start(judged);
  expect((await scenario.closed(judged)).failure?.message).toMatch(
    /needs 4 endpoints .*\(1 that its tasks share, 3 of tasks that begin together\).*max_parallel_endpoints=2/,
  );
  const waves = planOf(scenario, 4, { maxParallelEndpoints: 3 });
  await scenario.start(waves);
  expect((await scenario.closed(waves)).status).toBe('succeeded');
});
