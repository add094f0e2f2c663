import path from 'node:path';
import { startRun, type StartRequest } from '../../src/client';
import { startBench, type Bench } from '../support/bench';
import { runPlan } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

test('whoever starts a run of the same id gets the one that there is, open or closed; another config is refused', async () => {
  const scenario = await bench.scenario();
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['gsm8k'] });
  const { taskQueue, home } = scenario;
  const request: StartRequest = {
    ...{ plan, taskQueue, home, hostSecrets: {}, configYaml: 'a: 1\n' },
    ...{ searchAttributes: true, attachToSame: true },
  };
  const elsewhere = {
    ...request,
    plan: { ...plan, outputDir: path.join(scenario.outputRoot, 'elsewhere', plan.invocation), owner: 'other' },
  };
  const both = await Promise.all([startRun(bench.client, request), startRun(bench.client, elsewhere)]);
  expect(both.map(({ isNew }) => isNew).sort()).toEqual([false, true]);
  expect(both[1].runId).toBe(both[0].runId);
  expect(both[1].plan.outputDir).toBe(both[0].plan.outputDir);
  const winner = both.find(({ isNew }) => isNew);

  const digest = { ...plan.provenance, configDigest: 'other' };
  const other = { ...request, plan: { ...plan, provenance: digest }, configYaml: 'a: 2\n' };
  await expect(startRun(bench.client, other)).rejects.toMatchObject({
    name: 'RunDiffers',
    message: expect.stringContaining('a: 1, now 2'),
  });
  await expect(startRun(bench.client, { ...request, attachToSame: false })).rejects.toMatchObject({
    name: 'RunExists',
  });

  const { status, snapshot } = await scenario.closed(winner?.plan ?? plan);
  expect(status).toBe('succeeded');
  expect(snapshot.tasks).toHaveLength(1);
  expect(await startRun(bench.client, elsewhere)).toMatchObject({ isNew: false, runId: both[0].runId });
});
