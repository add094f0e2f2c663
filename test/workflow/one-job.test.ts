import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** Creating a job is not idempotent: how a task gets exactly one job, and how no other job writes to its folder. */

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
  'the answer is lost and the job appears %s later: it is adopted',
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

test.concurrent(
  'request and answer are lost: the job is posted again only when the first request can no longer take effect',
  async () => {
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
  },
);

test.concurrent('a 503 is a definite refusal, not a lost answer: the job is posted again at once', async () => {
  const scenario = await bench.scenario({ faults: [{ on: 'POST /jobs', times: 1, respond: 503 }] });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: one });
  await scenario.start(plan);
  expect((await scenario.closed(plan)).status).toBe('succeeded');
  const [first, second] = (await scenario.platform.requests())
    .filter(({ method, path: route }) => method === 'POST' && route === '/jobs')
    .map(({ at }) => Date.parse(at));
  // After a lost answer it would be more than this.
  expect((second ?? 0) - (first ?? 0)).toBeLessThan(14_000);
});

test.concurrent('a job that appears after the wait for it is removed at once, and leaves no files', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '20s'], ['Completed']] } },
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
  // Five times a second. Both would run beside each other for 15 seconds.
  expect(together).toBeLessThan(50);
  expect(await scenario.platform.inventory()).toEqual({ deployments: [], jobs: [], storage: [] });
});

test.concurrent('a job that appears after its task was cancelled is removed, and its log is saved', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '1m'], ['Completed']] } },
    // Longer than the cancel takes until nothing is found to remove, even on a busy machine.
    faults: [{ on: 'POST /jobs', times: 'inf', respond: 500, apply_after: '8s' }],
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
  test.concurrent('when it ends as Completed, its task succeeds', async () => {
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

  test.concurrent('a cancel waits for its end before results are fetched', async () => {
    const scenario = await bench.scenario({
      jobs: { default: { states: [['Running', '1s'], ['Terminating', '8s'], ['Completed']] } },
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
