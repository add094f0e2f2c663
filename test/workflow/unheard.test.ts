import { rm } from 'node:fs/promises';
import path from 'node:path';
import { describeRun, watchRun } from '../../src/client';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { until } from '../support/command';
import { runPlan } from '../support/plans';
import { startProgram } from '../support/program';

/** If a run's worker does not answer, status shows what Temporal itself knows, and never that nothing has started. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

/** A run with one task in each of four phases, whose worker was stopped. */
async function left(scenario: Scenario) {
  const tasks = ['over', 'waiting', 'running', 'failing'];
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks, change: { startPolicy: 'as_ready' } });
  await scenario.start(plan);
  await scenario.until(
    plan,
    ({ tasks: all }) => all.map(({ phase }) => phase).join() === 'done,awaiting ready,running job,done',
  );
  await (
    await scenario.startWorker()
  )();
  return plan;
}

const phases = {
  endpoints: { match: [{ name: '*waiting*', states: [['Starting', '1h', 'pulling'] as const, ['Ready'] as const] }] },
  jobs: {
    default: { states: [['Running', '300ms'] as const, ['Completed'] as const] },
    match: [
      { name: '*running*', states: [['Running', '1h'] as const, ['Completed'] as const] },
      { name: '*failing*', states: [['Running', '300ms'] as const, ['Failed'] as const] },
    ],
  },
};

test('the description has the phases of tasks, the outcomes of ended ones, and that the worker did not answer', async () => {
  const scenario = await bench.scenario(phases);
  const plan = await left(scenario);
  const seen = await scenario.describe(plan);
  expect(seen).toMatchObject({ status: 'running', isUnanswered: true, snapshot: { phase: 'evaluating' } });
  expect(seen.snapshot.tasks.map(({ phase, outcome }) => [phase, outcome])).toEqual([
    ['done', 'succeeded'],
    ['awaiting ready', null],
    ['running job', null],
    ['done', 'failed'],
  ]);
  expect(Object.keys(seen.snapshot.tasks[0]?.metrics ?? {}).length).toBeGreaterThan(0);

  const { code, stdout, stderr } = await startProgram(['status', plan.invocation], {
    cwd: scenario.home.root,
    env: {
      PATH: process.env['PATH'] ?? '',
      EVALSAGA_HOME: scenario.home.root,
      TEMPORAL_ADDRESS: bench.env.address,
    },
  }).finished;
  expect([code, stdout]).toEqual([0, expect.stringMatching(/evaluating[^]*awaiting ready[^]*running job/)]);
  expect(stderr).toMatch(/nobody serves task queue|worker does not answer/);

  // On another machine the plan is read from Temporal.
  await rm(path.join(scenario.home.runs, plan.invocation), { recursive: true });
  const elsewhere = await describeRun(bench.client, plan.invocation, scenario.home);
  expect(elsewhere.snapshot.tasks.map(({ phase }) => phase)).toEqual(seen.snapshot.tasks.map(({ phase }) => phase));

  await scenario.startWorker();
  await scenario.cancel(plan);
  await scenario.closed(plan);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test('a watch keeps the last known messages while the worker does not answer', async () => {
  const scenario = await bench.scenario(phases);
  const tasks = ['waiting', 'running'];
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks, change: { startPolicy: 'as_ready' } });
  await scenario.start(plan);
  await scenario.until(
    plan,
    ({ tasks: all }) => all[1]?.phase === 'running job' && all[0]?.message === 'Starting: pulling',
  );
  const watch = new AbortController();
  const shown: string[] = [];
  const options = { intervalMs: 50, signal: watch.signal };
  const watching = (async () => {
    for await (const { isUnanswered, snapshot } of watchRun(bench.client, plan.invocation, scenario.home, options))
      shown.push(`${isUnanswered ? 'unheard' : 'heard'}, ${snapshot.tasks[0]?.message}`);
  })();
  await until('something is shown', () => Promise.resolve(shown.length > 0));
  await (
    await scenario.startWorker()
  )();
  await until('the watch has noticed', () => Promise.resolve(shown.at(-1)?.startsWith('unheard') === true));
  await scenario.startWorker();
  await until('it is heard again', () => Promise.resolve(shown.at(-1)?.startsWith('heard') === true));
  watch.abort();
  await watching;
  // The platform's message is known only to the run, and is kept while the run does not answer.
  expect(shown.slice(-3)).toEqual([
    'heard, Starting: pulling',
    'unheard, Starting: pulling',
    'heard, Starting: pulling',
  ]);
  await scenario.cancel(plan);
  await scenario.closed(plan);
});
