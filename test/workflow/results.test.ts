import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { observed } from '../../src/contract/messages';
import { metricsLeftOut, type RunSnapshot } from '../../src/contract/state';
import { createLeptonClient } from '../../src/lepton/client';
import { cleanUp } from '../../src/cleanup/cleanup';
import { emptyInventory, startBench, type Bench } from '../support/bench';
import { common, fileSettings } from '../support/export-settings';
import { sendJson, startServer } from '../support/http-server';
import { runPlan } from '../support/plans';
import type { ExportPlan } from '../../src/contract/export';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const states = [['Running', '200ms'], ['Completed']];
const recordOf = async (plan: { outputDir: string }) =>
  JSON.parse(await readFile(path.join(plan.outputDir, 'run.json'), 'utf8')) as {
    tasks: {
      metrics: Record<string, unknown>;
      metricsTotal: number;
      partial?: boolean;
      summary?: { findings: unknown[] };
    }[];
    usefulShare: number;
  };

test.concurrent('301 scores: the history holds the first ones; describeRun and run.json have all', async () => {
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
  // The history names the file that has the others by its digest: another file in its place is not taken for it.
  const file = path.join(snapshot.tasks[0]?.outputDir ?? '', 'results.yml');
  const content = await readFile(file);
  expect(inHistory?.resultsDigest).toBe(createHash('sha256').update(content).digest('hex'));
  await writeFile(file, `${content.toString()}# changed\n`);
  const [left] = (await scenario.closed(plan)).snapshot.tasks;
  expect(metricsLeftOut(left ?? { metrics: {} })).toBeGreaterThan(300);
});

test.concurrent('what the job left behind is judged: in the description, in run.json and in the report', async () => {
  const stats = { count: 400, successful_count: 388, status_codes: { 200: 388, 500: 12 }, inference_time: 0.05 };
  const files = { 'eval_factory_metrics.json': JSON.stringify({ response_stats: stats, evaluation: {} }) };
  const running = [['Running', '10s'], ['Completed']] as const;
  const scenario = await bench.scenario({ jobs: { default: { states: running, files } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['gsm8k'] });
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks: [task] }) => task?.phase === 'running job');
  // As a worker says it that sees the endpoint go away and come back.
  const task = bench.client.workflow.getHandle(`eval-${plan.invocation}.0`);
  await task.signal(observed, { message: 'its endpoint is away', from: 'watchEndpoint', isAway: true });
  await task.signal(observed, { message: 'its endpoint is Ready again', from: 'watchEndpoint' });
  const { status, snapshot, resultsInfo } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  const findings = resultsInfo?.summaries?.[0]?.findings ?? [];
  expect(findings.map(({ kind, count }) => [kind, count])).toEqual([
    ['failed-requests', 12],
    ['endpoint-restarted', 1],
  ]);
  expect(snapshot.tasks[0]?.endpointAway).toBe(1);
  const recorded = await recordOf(plan);
  expect(recorded.tasks[0]?.summary?.findings).toEqual(findings);
  expect(recorded.usefulShare).toBeGreaterThan(0);
  expect(recorded.usefulShare).toBeLessThan(0.1);
  expect(await readFile(path.join(plan.outputDir, 'report.html'), 'utf8')).toContain('12 of 400 requests failed');
});

test.concurrent(
  'unusual scores do not fail a finished task: readable ones count, the others are named in its message',
  async () => {
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
  },
);

test.concurrent('a job that reports an interruption fails its task, and its scores are marked as partial', async () => {
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

test.concurrent(
  'files nested too deep stay in storage and are reported, the task succeeds, and cleanup fetches them',
  async () => {
    const files = { [`${'d/'.repeat(40)}x.txt`]: 'deep', 'predictions.db': 'rows', 'cache/c': 'c' };
    const scenario = await bench.scenario({ jobs: { default: { states, files } } });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['mmlu'] });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('succeeded');
    const [task] = snapshot.tasks;
    expect(Object.keys(task?.metrics ?? {})).not.toHaveLength(0);
    expect(task?.message).toBe('Not brought home (execution.skip_results): cache.');
    expect(await readFile(path.join(task?.outputDir ?? '', 'predictions.db'), 'utf8')).toBe('rows');
    const folder = `${plan.storage.path}/${plan.tasks[0]?.folder}`;
    expect(snapshot.kept).toMatchObject([
      { path: folder, reason: expect.stringContaining('(nested more than 32 deep)') },
    ]);
    expect((await scenario.platform.inventory()).storage).not.toEqual([]);

    // cleanup has no such limit: a person can wait longer than a run.
    const { url, workspace, token } = scenario.platform;
    const report = await cleanUp({
      ...{
        platform: createLeptonClient({ url, workspace, token }),
        invocation: plan.invocation,
        plan,
        origin: 'tests',
      },
      ...{ outputDir: plan.outputDir, secrets: [], discard: false, report: () => undefined },
    });
    expect(report).toMatchObject({ left: [], kept: [], removed: [{ kind: 'storage' }] });
    expect(await readFile(path.join(task?.outputDir ?? '', `${'d/'.repeat(40)}x.txt`), 'utf8')).toBe('deep');
    expect((await scenario.platform.inventory()).storage).toEqual([]);
  },
);

test.concurrent(
  'storage too slow for all files within teardown_timeout: the scores count, the other files are kept',
  async () => {
    const files = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`samples/${at}.json`, '{}']));
    const scenario = await bench.scenario({
      jobs: { default: { states, files } },
      faults: [{ on: 'GET /storage/**/samples/*', delay: '400ms', times: 'inf' }],
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['slow'], limits: { teardownSeconds: 12 } });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(snapshot.tasks[0]?.error).toBeNull();
    expect(status).toBe('succeeded');
    expect(snapshot.kept).toMatchObject([{ reason: expect.stringMatching(/not all of it came home in its time/) }]);
  },
);

test.concurrent('a refusal after the scores were fetched affects only the other files, which are kept', async () => {
  const files = { 'samples/a.json': '{}' };
  const scenario = await bench.scenario({
    jobs: { default: { states, files } },
    faults: [{ on: 'GET /storage/**/samples/*', respond: 403, times: 'inf' }],
  });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['refused'], limits: { teardownSeconds: 20 } });
  await scenario.start(plan);
  const { status, snapshot } = await scenario.closed(plan);
  expect(status).toBe('succeeded');
  expect(snapshot.kept).toMatchObject([{ reason: expect.stringContaining('403') }]);
});

test.concurrent(
  "an output folder that can't be created any more fails the task in bounded time, and its results stay in storage",
  async () => {
    const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '5s'], ['Completed']] } } });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['nowhere'] });
    await scenario.start(plan);
    await scenario.until(plan, ({ tasks }) => tasks[0]?.phase !== 'pending');
    // The run itself has found that it can write there.
    const folder = path.join(plan.outputDir, plan.tasks[0]?.folder ?? '');
    await mkdir(plan.outputDir, { recursive: true });
    await writeFile(folder, 'in the way');
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('failed');
    expect(snapshot.tasks[0]?.error?.message).toMatch(/a file is where a folder should be/);
    expect(snapshot.kept).toMatchObject([{ reason: expect.stringContaining(folder) }]);
  },
);

test.concurrent(
  "errors contain the cause: the end of the endpoint's log, and the server's message from the job's log",
  async () => {
    const port = "ValueError: VLLM_PORT 'tcp://10.0.0.1:80' appears to be a URI";
    const refused = "Error code: 400 - This model's maximum context length is 512 tokens";
    const scenario = await bench.scenario({
      endpoints: {
        default: { states: [['Ready']] },
        match: [{ name: '*port*', states: [['Starting', '200ms'], ['Error']], log: port }],
      },
      jobs: {
        default: { states },
        match: [
          { name: '*long*', states: [['Running', '200ms'], ['Failed']], log: `${refused}\nRuntimeError: failed` },
        ],
      },
    });
    const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['port', 'long'] });
    await scenario.start(plan);
    const { snapshot } = await scenario.closed(plan);
    const [port0, long1] = snapshot.tasks.map(({ error }) => error?.message ?? '');
    expect(port0?.split(port)).toHaveLength(2);
    expect(long1?.split(refused)).toHaveLength(2);
    expect(long1).toContain('last log line: RuntimeError: failed');
  },
);

test('a run exports at its end what succeeded; an export that fails is tried again, said, and fails no task', async () => {
  let asked = 0;
  const server = await startServer((_request, response) => {
    asked += 1;
    sendJson(response, { error_code: 'DENIED', message: 'not you' }, asked === 1 ? 503 : 403);
  });
  try {
    const jobs = {
      default: { states, metrics: { acc: 0.25 } },
      match: [{ name: '*winogrande*', states: [['Running', '200ms'], ['Failed']] }],
    };
    const scenario = await bench.scenario({ jobs });
    const mlflow = {
      ...{
        tracking_uri: server.url,
        experiment_name: 'e',
        run_name: null,
        description: null,
        tags: {},
        extra_metadata: {},
      },
      ...{
        skip_existing: false,
        log_config_params: false,
        log_config_params_max_depth: 10,
        exclude_patterns: [],
        ...common,
      },
    };
    const exports: readonly ExportPlan[] = [
      { to: 'json', settings: fileSettings, envs: [] },
      { to: 'mlflow', settings: mlflow, envs: [{ name: 'MLFLOW_TRACKING_TOKEN', value: 'a-key-for-mlflow' }] },
    ];
    const plan = runPlan({
      outputRoot: scenario.outputRoot,
      tasks: ['hellaswag', 'winogrande'],
      change: { exports },
    });
    await scenario.start(plan);
    const { status, snapshot } = await scenario.closed(plan);
    expect(status).toBe('failed');
    expect(snapshot.tasks.map(({ outcome }) => outcome)).toEqual(['succeeded', 'failed']);
    const reports = [...(snapshot.exports ?? [])].sort((one, other) => one.to.localeCompare(other.to));
    const file = path.join(plan.outputDir, 'exports', 'json', 'processed_results.json');
    expect(reports).toEqual([
      { to: 'json', outcome: 'exported', tasks: 1, where: file, message: null },
      { to: 'mlflow', outcome: 'failed', tasks: 0, where: null, message: expect.stringContaining('403') },
    ]);
    expect(server.seen).toHaveLength(2);
    expect(server.seen[1]?.headers.authorization).toBe('Bearer a-key-for-mlflow');
    const written = JSON.parse(await readFile(file, 'utf8')) as { benchmarks: object };
    expect(Object.keys(written.benchmarks)).toEqual(['hellaswag']);
    expect(await recordOf(plan)).toMatchObject({ exports: snapshot.exports, tasks: [{ image: 'eval:1' }, {}] });
  } finally {
    await server.close();
  }
});
