import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { usefulShare } from '../../../src/contract/gpu-share';
import { startingRun, type TaskSnapshot } from '../../../src/contract/state';
import { distributionOf } from '../../../src/results/requests/distribution';
import { parsePythonJson } from '../../../src/results/requests/python-json';
import { requestStats } from '../../../src/results/requests/request-stats';
import { readSummaries, taskCosts, type TaskSummary } from '../../../src/results/summary/task-summary';
import type { FindingKind } from '../../../src/results/validity/finding';
import { countAnswers } from '../../../src/results/validity/sample-files';
import { freshFolder } from '../../support/folders';
import { runPlan } from '../../support/plans';

/** What lm-evaluation-harness of the 26.03 image wrote in a run on the local platform, shortened. */
const real = path.join(__dirname, '../../fixtures/harness/hellaswag');

let folder: { path: string; dispose: () => Promise<void> };
beforeEach(async () => {
  folder = await freshFolder('validity');
  await cp(real, folder.path, { recursive: true });
});
afterEach(() => folder.dispose());

const [started] = startingRun(runPlan({ outputRoot: '/r', tasks: ['hellaswag'] }), '2026-11-28T02:31:41.042Z').tasks;

function taskOf(change: Partial<TaskSnapshot> = {}): TaskSnapshot {
  if (!started) throw new Error('no task');
  const endpoint = { from: '2026-11-28T02:31:41.221Z', until: '2026-11-28T02:32:34.180Z' };
  const job = { from: '2026-11-28T02:31:51.232Z', until: '2026-11-28T02:32:33.083Z' };
  return {
    ...started,
    ...{ phase: 'done', outcome: 'succeeded', metrics: { acc: 0.3 }, outputDir: folder.path, usage: { endpoint, job } },
    ...change,
  };
}

async function summaryOf(change: Partial<TaskSnapshot> = {}, withinMs = 60_000): Promise<TaskSummary> {
  const task = taskOf(change);
  const imagesOf = () => ({ used: 'registry/mine:1', catalogued: 'nvcr.io/lm-eval:26.03' });
  const images = change.name === 'own' ? { imagesOf } : {};
  const summary = (await readSummaries({ tasks: [task], folderOf: () => folder.path, ...images, withinMs })).get(0);
  if (!summary) throw new Error('no summary');
  return summary;
}

/** Finds the one finding of a kind, or `undefined`. */
async function found(kind: FindingKind, change: Partial<TaskSnapshot> = {}) {
  const findings = (await summaryOf(change)).findings.filter((finding) => finding.kind === kind);
  expect(findings.length).toBeLessThanOrEqual(1);
  return findings[0];
}

const file = (name: string): string => path.join(folder.path, name);

async function edit(name: string, change: (content: string) => string): Promise<void> {
  await writeFile(file(name), change(await readFile(file(name), 'utf8')));
}

/** The file in the model's folder whose name begins so. */
async function modelFile(begin: string): Promise<string> {
  const name = (await readdir(file('model'))).find((one) => one.startsWith(begin));
  return path.join('model', name ?? 'none');
}

const editStats = (change: Record<string, unknown>) =>
  edit('eval_factory_metrics.json', (text) => {
    const content = JSON.parse(text);
    return JSON.stringify({ ...content, response_stats: { ...content.response_stats, ...change } });
  });

test('what a real job left: samples, requests, times; scoring continuations is not called truncated', async () => {
  const summary = await summaryOf();
  expect(summary.samples).toEqual({ done: 10, asked: 10, of: 10_042, repeats: 1 });
  expect(summary.requests).toMatchObject({
    count: 40,
    successful: 40,
    finishReasons: { length: 40 },
    promptTokens: { mean: 35.54, max: 61, total: 1422 },
    requestSeconds: 11.165302276611328,
  });
  expect(summary.latencyMs).toMatchObject({ count: 40, max: 880 });
  expect(summary.versions).toEqual({ hellaswag: '1' });
  expect(new Set(summary.findings.map(({ kind }) => kind))).toEqual(new Set(['fallback']));
  expect(summary.findings.map(({ message }) => message)).toContainEqual(expect.stringContaining('0-shot'));
  expect(summary.findings.map(({ message }) => message)).toContainEqual(expect.stringContaining('tokenizer'));
  const costs = taskCosts(taskOf(), {
    summary,
    budget: { limit: 9, currency: 'USD', endpointPerHour: 36, jobPerHour: 0 },
    nowMs: 0,
  });
  expect(costs).toMatchObject({ endpointSeconds: 52.959, requestSeconds: 11.165302276611328, cost: 0.5296 });
  expect(costs.usefulShare).toBeCloseTo(0.2108, 4);
});

describe('what spoils scores is found, with its task, its count and what to do', () => {
  test('failed requests', async () => {
    await editStats({ status_codes: { 200: 28, 500: 10, 429: 2 }, successful_count: 28 });
    expect(await found('failed-requests')).toEqual({
      kind: 'failed-requests',
      index: 0,
      task: 'hellaswag',
      count: 12,
      of: 40,
      message: '12 of 40 requests failed (HTTP 429: 2, HTTP 500: 10)',
      advice: expect.stringContaining('run the task again'),
    });
  });

  test('answers that ended at their limit, where answers are generated', async () => {
    await editStats({ finish_reason: { length: 7, stop: 33 }, max_completion_tokens: 256 });
    expect(await found('truncated-answers')).toBeUndefined();
    await edit(await modelFile('results_'), (text) =>
      text.replace('"output_type": "multiple_choice"', '"output_type": "generate_until"'),
    );
    expect(await found('truncated-answers')).toMatchObject({ count: 7, of: 40 });
  });

  test('empty answers and missing samples, whatever the number of filters', async () => {
    const name = await modelFile('samples_');
    const sample = (id: number, filter: string, text: string) =>
      JSON.stringify({ doc_id: id, filter, resps: [[text, 'Paris']] });
    const ids = Array.from({ length: 8 }, (_, id) => id);
    const lines = ['strict', 'flexible'].flatMap((filter) => ids.map((id) => sample(id, filter, id < 3 ? ' \n' : 'x')));
    await writeFile(file(name), `${lines.join('\n')}\n`);
    expect(await found('empty-answers')).toMatchObject({ count: 3, of: 16 });
    expect(await found('missing-samples')).toMatchObject({
      count: 2,
      of: 10,
      message: '8 of 10 samples were evaluated',
    });
  });

  test('answers from a cache', async () => {
    await edit('logs/job.log', (text) =>
      text.replace('Cached requests: 0, Requests remaining: 40', 'Cached requests: 24, Requests remaining: 16'),
    );
    expect(await found('cached-answers')).toMatchObject({ count: 24, of: 40 });
  });

  test('an interrupted job, scores that are not numbers, another image, an endpoint that was away', async () => {
    expect(await found('missing-samples', { partial: true })).toMatchObject({ count: null });
    expect(await found('not-a-number', { metrics: { acc: 'NaN', f1: 0.5 } })).toMatchObject({ count: 1, of: 2 });
    expect((await found('other-harness', { name: 'own' }))?.message).toContain('nvcr.io/lm-eval:26.03');
    expect(await found('endpoint-restarted', { endpointAway: 2 })).toMatchObject({ count: 2 });
  });

  test('another model, other examples, prompts that were cut', async () => {
    await edit('report.json', (text) => text.replaceAll('SmolLM2-135M-Instruct"', 'SmolLM2-360M"'));
    await edit('run_config.yml', (text) => text.replace('num_fewshot: 0', 'num_fewshot: 5'));
    await edit('logs/job.log', (text) => `${text}x Left truncating context.\ny They were left truncated.\n`);
    const { findings } = await summaryOf();
    const messages = findings.map(({ message }) => message).join('\n');
    expect(messages).toMatch(/answered as .*360M/);
    expect(messages).toContain('hellaswag ran 0-shot, and num_fewshot was 5');
    expect(findings.find(({ kind }) => kind === 'truncated-prompts')?.count).toBe(2);
  });

  test('what could not be checked is said', async () => {
    await edit(await modelFile('samples_'), (text) => `${text}{"doc_id":`);
    expect(await found('unchecked')).toMatchObject({ count: 1 });
  });
});

test('damaged or strange files are as if there were none', async () => {
  for (const name of ['eval_factory_metrics.json', 'run_config.yml', 'report.json', await modelFile('results_')])
    await writeFile(file(name), '{"response_stats": [');
  await mkdir(file('results_2026.json'));
  const summary = await summaryOf();
  expect(summary).toMatchObject({ requests: null, samples: null });
  expect((await readSummaries({ tasks: [taskOf()], folderOf: () => '/nowhere', withinMs: 1000 })).get(0)).toMatchObject(
    { requests: null, latencyMs: null, findings: [] },
  );
});

describe('request seconds', () => {
  const run = (start: string, seconds: number) => ({
    run_start: start,
    first_request_time: start,
    last_request_time: start,
    inference_time: seconds,
  });

  test('do not count what an earlier job in the same folder did, whatever the time zone of the container', () => {
    const content = {
      response_stats: {
        count: 100,
        successful_count: 100,
        inference_time: 90,
        last_request_time: Date.parse('2026-11-28T12:30:00Z') / 1000,
        inference_run_times: { 0: run('2026-11-28T10:00:00', 60), 1: run('2026-11-28T14:30:00', 30) },
      },
    };
    expect(requestStats(content)?.requestSeconds).toBe(90);
    expect(requestStats(content, Date.parse('2026-11-28T12:00:00Z'))?.requestSeconds).toBe(30);
  });

  test('count for all jobs of the run, also if the endpoint of an earlier one was lost', async () => {
    const stats = {
      count: 100,
      successful_count: 100,
      inference_time: 690,
      last_request_time: Date.parse('2026-11-28T02:32:00Z') / 1000,
      inference_run_times: {
        0: run('2026-11-27T10:00:00', 600),
        1: run('2026-11-28T02:10:00', 60),
        2: run('2026-11-28T02:32:00', 30),
      },
    };
    await writeFile(file('eval_factory_metrics.json'), JSON.stringify({ response_stats: stats }));
    const lost = { from: '2026-11-28T02:01:00.000Z', until: '2026-11-28T02:31:00.000Z' };
    expect((await summaryOf()).requests?.requestSeconds).toBe(30);
    const change = { earlierUsage: [{ endpoint: lost, job: lost }] };
    expect((await summaryOf(change)).requests?.requestSeconds).toBe(90);
  });

  test('of a single request are its latency; unknown ones are null', () => {
    const one = { count: 1, successful_count: 1, avg_latency_ms: 250, inference_time: 0 };
    expect(requestStats({ response_stats: one })?.requestSeconds).toBe(0.25);
    expect(requestStats({ response_stats: { count: 10, successful_count: 10 } })?.requestSeconds).toBeNull();
    expect(requestStats({ evaluation: {} })).toBeUndefined();
  });
});

test('the useful share is that of all endpoints whose times are known, and never above 1', () => {
  expect(
    usefulShare([
      { requestSeconds: 30, endpointSeconds: 100 },
      { requestSeconds: 500, endpointSeconds: 100 },
      { requestSeconds: null, endpointSeconds: 1000 },
      { requestSeconds: 10, endpointSeconds: null },
    ]),
  ).toBe(0.65);
  expect(usefulShare([{ requestSeconds: null, endpointSeconds: 5 }])).toBeNull();
});

test('a distribution keeps every value in a bin that contains it', () => {
  const values = [0, 0.05, 1, 9.99, 10, 10, 1234.5];
  const distribution = distributionOf(values);
  expect(distribution).toMatchObject({ count: 7, min: 0, p50: 9.99, p99: 1234.5, max: 1234.5 });
  expect(distribution?.bins.reduce((sum, { count }) => sum + count, 0)).toBe(7);
  const ten = distribution?.bins.find(({ from }) => from === 10);
  expect(ten).toMatchObject({ count: 2 });
  expect(distribution?.bins.at(-1)?.until).toBeGreaterThan(1234.5);
  expect(distributionOf([])).toBeUndefined();
});

test('JSON of Python, with NaN outside of texts only', () => {
  expect(parsePythonJson('{"a": NaN, "b": [-Infinity, 1], "c": "is NaN, \\"NaN\\""}')).toEqual({
    a: 'NaN',
    b: ['NaN', 1],
    c: 'is NaN, "NaN"',
  });
  expect(countAnswers([['', 'x'], [['-3.2', 'True']], 'y'])).toEqual({ answers: 3, empty: 1 });
});
