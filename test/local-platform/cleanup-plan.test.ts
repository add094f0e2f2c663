import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cleanUp, type CleanupRequest } from '../../src/cleanup/cleanup';
import type { RunPlan } from '../../src/contract/plan';
import { createLeptonClient } from '../../src/lepton/client';
import type { LeptonClient } from '../../src/lepton/types';
import { setFaults } from '../support/command';
import { runPlan } from '../support/plans';
import { quickPlan, testPlatform, type TestPlatform } from './test-platform';

/** Storage of a run whose plan is known: all of it comes home before it goes, or it stays, and is named. */

let platform: TestPlatform;
let client: LeptonClient;
let plan: RunPlan;
beforeEach(async () => {
  platform = await testPlatform({ plan: quickPlan });
  client = createLeptonClient(platform);
  plan = runPlan({ outputRoot: path.join(platform.root, 'results'), tasks: ['hellaswag', 'arc_challenge'] });
  for (const { folder } of plan.tasks) await write(`${folder}/results.yml`, 'results: {}\n');
});
afterEach(() => platform.dispose());

const inStorage = (file: string): string =>
  path.join(platform.stateFolder, 'storage', plan.storage.fileSystem, plan.storage.path, file);

async function write(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(inStorage(file)), { recursive: true });
  await writeFile(inStorage(file), text);
}

const cleaning = (change: Partial<CleanupRequest> = {}) =>
  cleanUp({
    platform: client,
    invocation: plan.invocation,
    plan,
    origin: 'tests',
    outputDir: plan.outputDir,
    secrets: [],
    discard: false,
    report: () => undefined,
    ...change,
  });

const stored = async (): Promise<string[]> => (await platform.sim('/inventory')).storage;
const home = (file: string): Promise<string> => readFile(path.join(plan.outputDir, file), 'utf8');

test('folders of tasks come home and go, with the empty folder of a mount', async () => {
  await mkdir(inStorage('data/inner'), { recursive: true });
  const report = await cleaning();
  expect(report).toMatchObject({ removed: [{ kind: 'storage', name: plan.storage.path }], left: [], kept: [] });
  for (const { folder } of plan.tasks) expect(await home(`${folder}/results.yml`)).toBe('results: {}\n');
  expect(await stored()).toEqual([]);
});

test.each([
  ['a file beside them', 'core.1234', 'core.1234'],
  ['a folder that is no task of the run', '7-unknown/results.yml', '7-unknown'],
])('%s keeps all of it, and is named', async (_, file, name) => {
  await write(file, 'x');
  const before = await stored();
  const report = await cleaning();
  const reason = `storage ${plan.storage.path} holds ${name}, which has not come home`;
  expect(report).toMatchObject({ removed: [], left: [], kept: [{ path: plan.storage.path, reason }] });
  expect(await stored()).toEqual(before);
  for (const { folder } of plan.tasks) expect(await home(`${folder}/results.yml`)).toBe('results: {}\n');
  expect(await cleaning({ discard: true })).toMatchObject({ left: [], kept: [] });
  expect(await stored()).toEqual([]);
});

test('a folder of a task that seems absent while it is listed is not taken for home', async () => {
  const [first] = plan.tasks;
  const folder = first?.folder ?? '';
  await setFaults(platform, [
    { on: `HEAD /storage/**/${folder}`, times: 'inf', respond: 404 },
    { on: `GET /storage/**/${folder}`, times: 'inf', respond: 404 },
  ]);
  const report = await cleaning();
  expect(report).toMatchObject({
    removed: [],
    kept: [{ reason: expect.stringContaining(folder) }],
  });
  expect((await stored()).some((file) => file.includes(`${folder}/results.yml`))).toBe(true);
  // One wrong answer costs nothing: the folder is read again, because it is listed.
  await setFaults(platform, [{ on: `GET /storage/**/${folder}`, times: 1, respond: 404 }]);
  expect(await cleaning()).toMatchObject({ removed: [{ kind: 'storage' }], kept: [] });
  expect(await home(`${folder}/results.yml`)).toBe('results: {}\n');
});

test('a file that appears after all came home keeps the storage as well', async () => {
  const lines: string[] = [];
  // The listing that decides the removal comes after everything is reported as home.
  let listings = 0;
  const watched: LeptonClient = {
    ...client,
    storage: {
      ...client.storage,
      list: async (fileSystem, folder, options) => {
        if (folder === plan.storage.path && ++listings === 2) await write('late.txt', 'x');
        return client.storage.list(fileSystem, folder, options);
      },
    },
  };
  const report = await cleaning({ platform: watched, report: (line) => lines.push(line) });
  expect(lines.some((line) => line.includes('files of') && line.includes('arc'))).toBe(true);
  expect(report).toMatchObject({ removed: [], left: [], kept: [{ reason: expect.stringContaining('late.txt') }] });
  expect(await stored()).toContain(`${plan.storage.fileSystem}:${plan.storage.path}/late.txt`);
});
