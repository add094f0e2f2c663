import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunPlan } from '../../src/contract/plan';
import { emptyInventory, startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan } from '../support/plans';

/** Foreign files in a run's storage folder, beside its tasks' folders, are kept and reported, and do not fail the run. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

async function runWith(file: string): Promise<{ scenario: Scenario; plan: RunPlan; inStorage: string }> {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag', 'arc_challenge'] });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks }) => tasks.some(({ phase }) => phase === 'running job'));
  const inStorage = path.join(scenario.home.platform, 'storage', plan.storage.fileSystem, plan.storage.path, file);
  await mkdir(path.dirname(inStorage), { recursive: true });
  await writeFile(inStorage, 'not of the run');
  return { scenario, plan, inStorage };
}

test.concurrent.each([
  ['a file', 'core.1234', 'core.1234'],
  ['a file in a subfolder', 'cache/models/a.bin', 'cache'],
])('%s beside the task folders: the run succeeds and its storage folder is kept', async (_, file, name) => {
  const { scenario, plan, inStorage } = await runWith(file);
  const { status, snapshot, failure } = await scenario.closed(plan);
  const { invocation, storage } = plan;
  expect({ status, failure, left: snapshot.left, kept: snapshot.kept }).toEqual({
    status: 'succeeded',
    failure: null,
    left: [],
    kept: [
      {
        path: storage.path,
        reason: expect.stringContaining(`storage ${storage.path} holds ${name}, which has not come home`),
        command: `evalsaga cleanup ${invocation}`,
      },
    ],
  });
  const inventory = await scenario.platform.inventory();
  expect(inventory).toEqual({ ...emptyInventory, storage: [`${storage.fileSystem}:${storage.path}/${file}`] });
  await rm(inStorage);
});

test.concurrent('an empty folder, such as a mount point leaves, is removed with the storage', async () => {
  const { scenario, plan, inStorage } = await runWith('data/file');
  await rm(inStorage);
  const { status, snapshot } = await scenario.closed(plan);
  expect({ status, left: snapshot.left, kept: snapshot.kept }).toEqual({ status: 'succeeded', left: [], kept: [] });
  expect(await scenario.platform.inventory()).toEqual(emptyInventory);
});
