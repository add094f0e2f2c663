import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { metricsLeftOut, type RunSnapshot } from '../../src/contract/state';
import { emptyInventory, startBench, type Bench } from '../support/bench';
import { runPlan } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const states = [['Running', '200ms'], ['Completed']];
const recordOf = async (plan: { outputDir: string }) =>
  JSON.parse(await readFile(path.join(plan.outputDir, 'run.json'), 'utf8')) as {
    tasks: { metrics: Record<string, unknown>; metricsTotal: number; partial?: boolean }[];
  };

test.concurrent('three hundred scores: the history has the first ones, readers and run.json have all', async () => {
  const metrics = Object.fromEntries(Array.from({ length: 301 }, (_, at) => [`language_${at}_acc`, at / 301]));
  const scenario = await bench.scenario({ jobs: { default: { states, metrics } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['belebele'] });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  expect(Object.keys(snapshot.tasks[0]?.metrics ?? {})).toHaveLength(602);
  const [recorded] = (await recordOf(plan)).tasks;
  expect(Object.keys(recorded?.metrics ?? {})).toHaveLength(602);
  expect(recorded?.metricsTotal).toBe(602);

  const told = (await bench.client.workflow.getHandle(`eval-${plan.invocation}`).result()) as RunSnapshot;
  const [inHistory] = told.tasks;
  expect(metricsLeftOut(inHistory ?? { metrics: {} })).toBeGreaterThan(300);
});

test.concurrent('odd scores fail no finished task: what can be read counts, the rest is in a note', async () => {
  const odd = `results:
  groups:
    en: {groups: {math: {metrics: {acc: {scores: {acc: {value: 0.4}}}}}}}
    de: {groups: {math: {metrics: {acc: {scores: {acc: {value: 0.8}}}}}}}
  tasks:
    parse: {metrics: {rate: {scores: {rate: {value: "n/a"}}}}}
`;
  const scenario = await bench.scenario({ jobs: { default: { states, files: { 'results.yml': odd } } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['math'] });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  expect(snapshot.tasks[0]).toMatchObject({
    metrics: { en_math_acc: 0.4, de_math_acc: 0.8 },
    message: 'Not read as scores: parse.rate ("n/a").',
  });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});

test.concurrent('a job that says it was interrupted has not succeeded, and its scores are partial', async () => {
  const files = { '.evalsaga_interrupted': '' };
  const scenario = await bench.scenario({ jobs: { default: { states, files } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['gsm8k'] });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('failed');
  expect(snapshot.tasks[0]).toMatchObject({
    outcome: 'failed',
    partial: true,
    error: { type: 'JobInterrupted', message: expect.stringContaining('was interrupted before it had evaluated') },
  });
  expect(Object.keys(snapshot.tasks[0]?.metrics ?? {})).not.toHaveLength(0);
  expect((await recordOf(plan)).tasks[0]?.partial).toBe(true);
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
