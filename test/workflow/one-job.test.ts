import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** A job's create has no key: what keeps a task at one job, and that job's folder its own. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const one = ['hellaswag'];

const jobsAtOnce = async ({ platform }: Scenario, over: Promise<unknown>): Promise<number> => {
  let most = 0;
  let isOver = false;
  void over.finally(() => (isOver = true));
  while (!isOver) {
    most = Math.max(most, (await platform.inventory()).jobs.length);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return most;
};

const posts = async ({ platform }: Scenario): Promise<number> =>
  (await platform.requests()).filter(({ method, path: route }) => method === 'POST' && route === '/jobs').length;

test.concurrent.each(['500ms', '2s', '8s'])(
  'an answer that is lost, and a job that lands %s later: it is adopted',
  async (late) => {
    const scenario = await bench.scenario({
      jobs: { default: { states: [['Running', '4s'], ['Completed']] } },
      faults: [{ on: 'POST /jobs', times: 1, respond: 'drop', apply_after: late }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    const closed = scenario.closed(plan);
    expect(await jobsAtOnce(scenario, closed)).toBe(1);
    expect((await closed).status).toBe('succeeded');
    expect(await posts(scenario)).toBe(1);
  },
);

test.concurrent('an answer that is lost with its request: posted again once nothing can land any more', async () => {
  const scenario = await bench.scenario({ faults: [{ on: 'POST /jobs', times: 1, respond: 'drop' }] });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  const requests = (await scenario.platform.requests()).filter(
    ({ method, path: route }) => method === 'POST' && route === '/jobs',
  );
  const [first, second, ...more] = requests.map(({ at }) => Date.parse(at));
  expect(more).toEqual([]);
  expect((second ?? 0) - (first ?? 0)).toBeGreaterThan(14_000);
});

test.concurrent('a refusal to take it (503) is no lost answer: posted again at once', async () => {
  const scenario = await bench.scenario({ faults: [{ on: 'POST /jobs', times: 1, respond: 503 }] });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  const [first, second] = (await scenario.platform.requests())
    .filter(({ method, path: route }) => method === 'POST' && route === '/jobs')
    .map(({ at }) => Date.parse(at));
  expect((second ?? 0) - (first ?? 0)).toBeLessThan(10_000);
});

test.concurrent('one that lands later than anybody waits goes at once, and writes nowhere', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '12s'], ['Completed']] } },
    faults: [{ on: 'POST /jobs', times: 1, respond: 'drop', apply_after: '20s' }],
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  const closed = scenario.closed(plan);
  let together = 0;
  let isOver = false;
  void closed.finally(() => (isOver = true));
  while (!isOver) {
    if ((await scenario.platform.inventory()).jobs.length > 1) together += 1;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect((await closed).status).toBe('succeeded');
  // Two looks of the wait, and what it takes to go.
  expect(together).toBeLessThan(20);
  expect(await scenario.platform.inventory()).toEqual({ deployments: [], jobs: [], storage: [] });
});

test.concurrent('one that lands after its task was cancelled is removed, and its log is home', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '1m'], ['Completed']] } },
    faults: [{ on: 'POST /jobs', times: 'inf', respond: 500, apply_after: '2s' }],
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'submitting job');
  while ((await posts(scenario)) === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  await scenario.cancel(plan);
  expect((await scenario.closed(plan)).status).toBe('cancelled');
  expect(await scenario.platform.inventory()).toEqual({ deployments: [], jobs: [], storage: [] });
  const log = path.join(plan.outputDir, plan.tasks[0]?.folder ?? '', 'logs', 'job.log');
  expect(await readFile(log, 'utf8')).toContain('Running');
});

describe('a job that is Terminating has not ended', () => {
  test.concurrent('it comes to its end: its results are home', async () => {
    const scenario = await bench.scenario({
      jobs: { default: { states: [['Running', '1s'], ['Terminating', '4s'], ['Completed']] } },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, errors: snapshot.tasks.map(({ error }) => error) }).toEqual({
      status: 'succeeded',
      errors: [null],
    });
  });

  test.concurrent('a cancel waits for it before its storage is read', async () => {
    const scenario = await bench.scenario({
      jobs: { default: { states: [['Running', '1s'], ['Terminating', '5s'], ['Completed']] } },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks }) => tasks[0]?.message?.startsWith('Terminating') === true);
    await scenario.cancel(plan);
    const { status } = await scenario.closed(plan);
    expect(status).toBe('cancelled');
    const home = path.join(plan.outputDir, plan.tasks[0]?.folder ?? '', 'results.yml');
    expect(await readFile(home, 'utf8')).toContain('results');
  });
});
