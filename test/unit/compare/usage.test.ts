import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { compareRuns } from '../../../src/compare/compare-runs';
import type { Comparison } from '../../../src/compare/comparison';
import { exportedRun } from '../../../src/export/read-run';
import { readRunRecord } from '../../../src/results/scores/run-record';
import { recordedTask } from '../../../src/results/scores/task-record';
import { readSummaries } from '../../../src/results/summary/task-summary';
import { freshFolder } from '../../support/folders';
import { writeRun } from '../../support/harness-results';

let root: Awaited<ReturnType<typeof freshFolder>>;
beforeEach(async () => void (root = await freshFolder('usage')));
afterEach(() => root.dispose());

const at = (...names: string[]): string => path.join(root.path, ...names);

const compared = (): Promise<Comparison> =>
  compareRuns({ base: { folder: at('base') }, candidate: { folder: at('candidate') } });

/** A run of one task on two endpoints: 40 minutes until the first was lost, then 20; half of its 100 requests failed. */
function writeRetried(folder: string): void {
  writeRun(folder, { tasks: [{ name: 'piqa', values: { acc: [1, 0, 1] } }] });
  const stats = `{
    "count": 100, "successful_count": 50, "avg_prompt_tokens": 10, "avg_completion_tokens": 4,
    "avg_latency_ms": NaN, "inference_time": 3000, "last_request_time": 1795834800,
    "inference_run_times": {
      "0": { "run_start": "2026-11-28T01:10:00", "last_request_time": "2026-11-28T01:20:00", "inference_time": 600 },
      "1": { "run_start": "2026-11-28T02:10:00", "last_request_time": "2026-11-28T02:40:00", "inference_time": 1800 },
      "2": { "run_start": "2026-11-28T02:50:00", "last_request_time": "2026-11-28T03:00:00", "inference_time": 600 }
    }
  }`;
  writeFileSync(path.join(folder, '0-piqa', 'eval_factory_metrics.json'), `{ "response_stats": ${stats} }`);
  const file = path.join(folder, 'run.json');
  const { tasks, ...record } = JSON.parse(readFileSync(file, 'utf8')) as { readonly tasks: readonly object[] };
  const both = (from: string, until: string | null) => ({ endpoint: { from, until }, job: { from, until } });
  const usage = both('2026-11-28T02:41:00.000Z', null);
  const earlierUsage = [both('2026-11-28T02:01:00.000Z', '2026-11-28T02:41:00.000Z')];
  const endedAt = '2026-11-28T03:01:00.000Z';
  writeFileSync(
    file,
    JSON.stringify({
      ...record,
      endedAt,
      tasks: tasks.map((task) => ({ ...task, metrics: { acc: 0.5 }, usage, earlierUsage })),
    }),
  );
}

test('times and tokens are those of `results` and `export`: over all attempts, of requests that succeeded', async () => {
  writeRetried(at('base'));
  writeRun(at('candidate'), { tasks: [{ name: 'piqa', values: { acc: [1, 0, 1] } }] });
  const { tasks } = await compared();
  expect(tasks[0]?.usage.base).toEqual({
    endpointSeconds: 3600,
    jobSeconds: 3600,
    inferenceSeconds: 2400,
    requests: 100,
    promptTokens: 500,
    completionTokens: 200,
    meanLatencyMs: null,
  });
  const record = await readRunRecord(at('base'));
  if (!record) throw new Error('no record');
  const exported = await exportedRun({ record, folder: at('base'), files: () => Promise.resolve({}) });
  expect(exported.tasks[0]).toMatchObject({
    costs: { endpointSeconds: 3600, jobSeconds: 3600, requestSeconds: 2400 },
    requests: { count: 100, promptTokens: { total: 500 }, completionTokens: { total: 200 }, latencyMs: null },
  });
});

test('what the record keeps of requests counts where their file is not at hand', async () => {
  writeRetried(at('base'));
  writeRetried(at('candidate'));
  const record = await readRunRecord(at('base'));
  const folderOf = (): string => at('base', '0-piqa');
  const summaries = await readSummaries({ tasks: (record?.tasks ?? []).map(recordedTask), folderOf, withinMs: 60_000 });
  const tasks = record?.tasks.map((task) => ({ ...task, summary: summaries.get(task.index) }));
  writeFileSync(at('base', 'run.json'), JSON.stringify({ ...record, tasks }));
  rmSync(at('base', '0-piqa', 'eval_factory_metrics.json'));
  const [both] = (await compared()).tasks;
  expect(both?.usage.base).toMatchObject({ requests: 100, promptTokens: 500, inferenceSeconds: 2400 });
  expect(both?.usage.base).toEqual(both?.usage.candidate);
});
