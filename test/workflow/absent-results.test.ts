import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunPlan } from '../../src/contract/plan';
import { startBench, type Bench, type Scenario } from '../support/bench';
import { runPlan, withPackedResults } from '../support/plans';

/** Results hidden by a wrong 404, or whose archive can't be read, are neither reported as missing nor removed. */

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const empty = { deployments: [], jobs: [], storage: [] };
const taskFolder = '/storage/default/shared/evalsaga/*/0-hellaswag';
const runFolder = '/storage/default/shared/evalsaga/*';

async function run(faults: object[], change: Parameters<typeof runPlan>[0]['change'] = {}) {
  const scenario: Scenario = await bench.scenario({ faults });
  const limits = { teardownSeconds: 60 };
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'], limits, change });
  await scenario.start(plan);
  return { scenario, plan, closed: await scenario.closed(plan) };
}

const home = ({ outputDir, tasks }: RunPlan): Promise<string[]> =>
  readdir(path.join(outputDir, tasks[0]?.folder ?? ''));

const posts = async ({ platform }: Scenario): Promise<number> =>
  (await platform.requests()).filter(({ method, path: route }) => method === 'POST' && route === '/jobs').length;

test.concurrent.each([
  ['HEAD of the folder, once', [{ on: `HEAD ${taskFolder}`, times: 1, respond: 404 }]],
  ['HEAD of the folder, every time', [{ on: `HEAD ${taskFolder}`, times: 'inf', respond: 404 }]],
  ['HEAD of the folder and its parents, for a while', [{ on: 'HEAD /storage/**', times: 8, respond: 404 }]],
  ['GET of the folder', [{ on: `GET ${taskFolder}`, times: 2, respond: 404 }]],
  ['HEAD of a subfolder', [{ on: `HEAD ${taskFolder}/*`, times: 4, respond: 404 }]],
  ['GET of its contents, as HTML', [{ on: `GET ${taskFolder}/**`, times: 3, respond: 404, body: '<html>404</html>' }]],
  ['the listing of its parent', [{ on: `GET ${runFolder}`, times: 2, respond: 404, body: '' }]],
  ['GET /storage, as HTML', [{ on: 'GET /storage', times: 1, respond: 404, body: '<html>404</html>' }]],
])('a wrong 404 for %s: results are fetched and storage is removed', async (_, faults) => {
  const { scenario, plan, closed } = await run(faults);
  const { status, snapshot } = closed;
  expect({ status, left: snapshot.left, kept: snapshot.kept }).toEqual({ status: 'succeeded', left: [], kept: [] });
  expect(await home(plan)).toContain('results.yml');
  expect(await scenario.platform.inventory()).toEqual(empty);
  // No job replaced the storage API.
  expect(await posts(scenario)).toBe(1);
});

test.concurrent('jobs replace a /storage that answers HTML 404; the API is used again once it is back', async () => {
  const page = { respond: 404, body: '<html>404</html>' };
  const { scenario, plan, closed } = await run([
    { on: '* /storage', times: 3, ...page },
    { on: '* /storage/**', times: 3, ...page },
  ]);
  expect({ status: closed.status, kept: closed.snapshot.kept }).toEqual({ status: 'succeeded', kept: [] });
  expect(await home(plan)).toContain('results.yml');
  expect(await scenario.platform.inventory()).toEqual(empty);
});

test.concurrent(
  'a folder that a read and the listing denied, but that exists later, is kept and reported',
  async () => {
    const { scenario, plan, closed } = await run([
      { on: `GET ${taskFolder}`, times: 1, respond: 404 },
      // No entries may be all that is said of a folder that doesn't exist, and are asked for again.
      { on: `GET ${runFolder}`, times: 2, respond: 200, body: [] },
    ]);
    const { snapshot } = closed;
    const folder = `${plan.storage.path}/0-hellaswag`;
    expect(snapshot.tasks[0]?.error).toEqual({
      type: 'ResultsMissing',
      message: expect.stringContaining(`its folder ${folder} is not in storage`),
    });
    expect(snapshot.kept).toEqual([
      { path: folder, reason: expect.stringContaining('it is kept'), command: `evalsaga cleanup ${plan.invocation}` },
    ]);
    expect(snapshot.left).toEqual([]);
    const { deployments, jobs, storage } = await scenario.platform.inventory();
    expect({ deployments, jobs }).toEqual({ deployments: [], jobs: [] });
    expect(storage).not.toEqual([]);
  },
);

test.concurrent('with keep_storage, a folder that is not there is not said to be kept', async () => {
  const scenario = await bench.scenario({
    jobs: { default: { states: [['Running', '300ms'], ['Completed']], results: false } },
  });
  const tasks = ['hellaswag'];
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks, change: { keepStorage: true } });
  await scenario.start(plan);
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks[0]?.error?.type).toBe('ResultsMissing');
  expect({ left: snapshot.left, kept: snapshot.kept }).toEqual({ left: [], kept: [] });
  expect(await scenario.platform.inventory()).toEqual(empty);
});

test.concurrent(
  'when the jobs that replace the storage API fail, at most 10 jobs are submitted, and the storage is kept',
  async () => {
    const { scenario, closed } = await run(
      ['/storage', '/storage/**'].map((at) => ({ on: `* ${at}`, times: 'inf', respond: 404 })),
      { limits: { ...runPlan({ outputRoot: '/' }).limits, teardownSeconds: 100 } },
    );
    expect(closed.snapshot.kept).toEqual([
      expect.objectContaining({
        reason: expect.stringContaining("the collector's log holds no complete list of files"),
      }),
    ]);
    expect(await posts(scenario)).toBeLessThanOrEqual(10);
  },
);

test.concurrent(
  'whatever befalls the archive of its results, a task gets all of them, and its storage goes',
  async () => {
    const files = { 'samples/a.jsonl': '{"a": 1}\n'.repeat(1_000), 'odd \n name.txt': 'odd', 'cache/c': 'c' };
    const onArchive = (index: number) => `GET /storage/**/${index}-*/.evalsaga_results.zip`;
    const tasks = ['whole', 'none', 'cut', 'late', 'garbage'];
    const scenario = await bench.scenario({
      jobs: { default: { states: [['Running', '200ms'], ['Completed']], files } },
      faults: [
        { on: onArchive(1), respond: 404, times: 'inf' },
        { on: onArchive(2), respond: 'drop', times: 'inf' },
        { on: onArchive(3), respond: 503 },
        { on: onArchive(4), respond: 200, body: 'PK but no archive', times: 'inf' },
      ],
    });
    const plan = withPackedResults(runPlan({ outputRoot: scenario.outputRoot, tasks }));
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect({ status, kept: snapshot.kept }).toEqual({ status: 'succeeded', kept: [] });
    for (const { outputDir, metrics } of snapshot.tasks) {
      const { files: home } = JSON.parse(await readFile(path.join(outputDir ?? '', 'manifest.json'), 'utf8')) as {
        files: { path: string; sha256: string }[];
      };
      const hashes = Object.fromEntries(home.map((file) => [file.path, file.sha256]));
      const samples = createHash('sha256').update(files['samples/a.jsonl']).digest('hex');
      expect(hashes).toMatchObject({ 'samples/a.jsonl': samples, 'odd %0A name.txt': expect.anything() });
      expect(home).toHaveLength(5);
      expect(metrics).not.toBeNull();
    }
    // Only where it came whole, files were not asked for.
    const asked = (await scenario.platform.requests()).filter(({ path: at }) => at.includes('/samples/a.jsonl'));
    const whose = new Set(asked.map(({ path: at }) => /\/(\d)-[a-z]+\//.exec(at)?.[1]));
    expect([...whose].sort()).toEqual(['1', '2', '4']);
    expect(await scenario.platform.inventory()).toEqual(empty);
  },
);
