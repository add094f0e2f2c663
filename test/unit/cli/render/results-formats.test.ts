import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RunDescription } from '../../../../src/client';
import { closingLines } from '../../../../src/cli/render/closing';
import { findingLines } from '../../../../src/cli/render/findings';
import { csvOf } from '../../../../src/cli/render/results/csv';
import { junitOf } from '../../../../src/cli/render/results/junit';
import { markdownOf } from '../../../../src/cli/render/results/markdown';
import { byModel, matrixOf, matrixTable } from '../../../../src/cli/render/results/matrix';
import { costsTable } from '../../../../src/cli/render/results/task-costs';
import { usefulShareLine } from '../../../../src/cli/render/results/useful-share';
import { runDocument, type RunDocument } from '../../../../src/cli/render/run-document';
import { statusText } from '../../../../src/cli/render/run-status';
import { metricPayload, type Metric } from '../../../../src/contract/metric';
import { requestStats } from '../../../../src/results/requests/request-stats';
import type { TaskSummary } from '../../../../src/results/summary/task-summary';
import type { Finding } from '../../../../src/results/validity/finding';
import { runOf, taskOf } from '../../../support/snapshots';

const now = Date.parse('2026-01-02T04:00:00.000Z');
const longName = 'lm-evaluation-harness.mmlu_'.repeat(10);

const metric = (change: Partial<Metric>): Metric => ({
  ...{ name: 'mmlu_acc', value: 0.5, stderr: 0.1, count: null, kind: 'group', path: ['mmlu', 'stem'] },
  ...{ metric: 'acc', score: 'acc' },
  ...change,
});

const finding = (index: number, change: Partial<Finding> = {}): Finding => ({
  ...{ kind: 'failed-requests', index, task: longName, count: 12, of: 400 },
  ...{ message: '12 of 400 requests failed', advice: 'Run the task again.' },
  ...change,
});

let summary: TaskSummary;
beforeAll(async () => {
  const file = path.join(__dirname, '../../../fixtures/harness/hellaswag/eval_factory_metrics.json');
  const requests = requestStats(JSON.parse(await readFile(file, 'utf8'))) ?? null;
  const samples = { done: 8, asked: 10, of: 10_042, repeats: 4 };
  summary = { samples, requests, latencyMs: null, versions: { mmlu: '2' }, findings: [finding(0)] };
});

function described(
  model: string,
  metrics: readonly Metric[],
  outcome: 'succeeded' | 'failed' = 'succeeded',
): RunDescription {
  const span = (seconds: number) => ({
    from: '2026-01-02T03:04:05.000Z',
    until: new Date(Date.parse('2026-01-02T03:04:05.000Z') + seconds * 1000).toISOString(),
  });
  const tasks = [
    taskOf({
      ...{ name: longName, phase: 'done', outcome: 'succeeded', usage: { endpoint: span(100), job: span(60) } },
      ...metricPayload(metrics),
    }),
    taskOf({
      ...{ index: 1, name: '=HYPERLINK("x")', phase: 'done', outcome },
      error: outcome === 'failed' ? { type: 'JobFailed', message: 'CUDA, "out"\nof memory' } : null,
    }),
  ];
  const run = runOf(outcome, tasks);
  const budget = { limit: 5, currency: 'USD', endpointPerHour: 3.6, jobPerHour: 0 };
  const samplings = [{ index: 0, limit: 10, evaluated: 8, of: 10_042, asked: 10, repeats: 4 }];
  const resultsInfo = { outputDir: '/r', samplings, summaries: [{ index: 0, ...summary }] };
  return { ...run, snapshot: { ...run.snapshot, model, budget }, resultsInfo };
}

const documentOf = (...given: Parameters<typeof described>): RunDocument => runDocument(described(...given), null, now);
const metrics = [
  metric({}),
  metric({ name: 'mmlu_tiny', metric: 'tiny', score: 'tiny', value: 0.00001, stderr: null }),
];

/** Splits a line of CSV. */
const cells = (line: string): string[] =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
  );

test('the document has what tasks took, and what was found', () => {
  const document = documentOf('org/model', metrics);
  expect(document.usefulShare).toBeCloseTo(0.1117, 4);
  expect(document.findings).toEqual([finding(0)]);
  expect(document.tasks[0]).toMatchObject({
    samples: { limit: 10, evaluated: 8, asked: 10, of: 10_042, repeats: 4 },
    requests: { count: 40, promptTokens: { total: 1422 } },
    costs: { endpointSeconds: 100, jobSeconds: 60, cost: 0.1 },
    versions: { mmlu: '2' },
  });
});

test('CSV: one line per score with all digits, names whole, no formulas, as RFC 4180 says', () => {
  const text = csvOf([documentOf('a,"b"', metrics, 'failed')]);
  const [head = '', ...rows] = text.split('\r\n');
  expect(rows).toHaveLength(3);
  const columns = head.split(',');
  const row = (at: number, name: string) => cells(rows[at] ?? '')[columns.indexOf(name)];
  expect(rows.map((line) => cells(line).length)).toEqual([columns.length, columns.length, columns.length]);
  expect(row(0, 'model')).toBe('a,"b"');
  expect(row(0, 'task')).toBe(longName);
  expect([row(0, 'value'), row(0, 'ci95_low'), row(1, 'value'), row(1, 'stderr')]).toEqual([
    '0.5',
    '0.3040036',
    '0.00001',
    '',
  ]);
  expect([row(0, 'samples_done'), row(0, 'samples_asked'), row(0, 'samples_total'), row(0, 'repeats')]).toEqual([
    '8',
    '10',
    '10042',
    '4',
  ]);
  expect([row(0, 'groups'), row(0, 'prompt_tokens'), row(0, 'cost'), row(0, 'findings')]).toEqual([
    'mmlu/stem',
    '1422',
    '0.1',
    'failed-requests',
  ]);
  expect([row(2, 'task'), row(2, 'task_status'), row(2, 'metric')]).toEqual([`'=HYPERLINK("x")`, 'failed', '']);
  expect(row(2, 'error')).toBe('CUDA, "out"\nof memory');
  expect([row(0, 'notes'), row(2, 'notes')]).toEqual(['', '']);
});

test('CSV: the note on a task is in each of its lines', () => {
  const run = described('org/model', metrics);
  const tasks = run.snapshot.tasks.map((task) => ({ ...task, message: 'Run 0-shot, "as is"' }));
  const [head = '', ...rows] = csvOf([runDocument({ ...run, snapshot: { ...run.snapshot, tasks } }, null, now)]).split(
    '\r\n',
  );
  const at = head.split(',').indexOf('notes');
  expect(rows.map((line) => cells(line)[at])).toEqual(Array(3).fill('Run 0-shot, "as is"'));
});

test('Markdown: tables of scores and costs, names whole, nothing of it markup', () => {
  const text = markdownOf([documentOf('org/<b>model', metrics, 'failed')]);
  expect(text).toContain('| 0.5000 | 0.1000 | 8 of 10 asked |');
  expect(text).toContain('| 0.00001 |  | 8 of 10 asked |');
  expect(text).toContain('mmlu&#95;'.repeat(10).slice(0, 9));
  expect(text).not.toMatch(/<b>|…/);
  expect(text).toContain('useful endpoint time: 11 %');
  expect(text).toMatch(/### Validity\n\n- task 0 .*12 of 400 requests failed\. Run the task again\./);
  expect(text).toMatch(/### Tasks that did not succeed\n\n- 1 .*CUDA/);
});

test('JUnit: a case per task; with --strict, one with findings has failed', () => {
  const document = documentOf('m<&"', metrics, 'failed');
  const lenient = junitOf([document], { isStrict: false });
  expect(lenient).toContain('tests="2" failures="0" errors="1" skipped="0" time="60.000"');
  expect(lenient).toContain('<testsuite name="m&lt;&amp;&quot;"');
  expect(lenient).toContain('<property name="mmlu_acc" value="0.5"/>');
  expect(lenient).toContain('<property name="mmlu_acc_stderr" value="0.1"/>');
  expect(lenient).toContain('<error type="JobFailed" message="CUDA, &quot;out&quot;\nof memory"/>');
  expect(junitOf([document], { isStrict: true })).toContain(
    '<failure message="12 of 400 requests failed. Run the task again.">',
  );
});

test('what scores must not be read without stands in Markdown and JUnit, too', () => {
  const document = documentOf('org/model', metrics);
  const noted = {
    ...document,
    findings: [],
    tasks: document.tasks.map((task) => ({
      ...task,
      notes: task.index === 0 ? ['Run 0-shot <b>', 'Not read: x'] : [],
    })),
  };
  const text = markdownOf([noted]);
  expect(text).toContain('### Notes');
  expect(text).toMatch(/task 0 .*: Run 0-shot &#60;b&#62;\n- task 0 /);
  expect(markdownOf([noted, document]).match(/^- .*task 0 .*Not read: x$/gm)).toHaveLength(1);
  expect(markdownOf([{ ...noted, tasks: [] }])).not.toContain('### Notes');
  expect(junitOf([noted], { isStrict: true })).toContain('<system-out>Run 0-shot &lt;b&gt;\nNot read: x</system-out>');
});

test('several runs beside each other: models as columns, told apart where they are equal', () => {
  const runs = [documentOf('org/a', metrics), documentOf('org/b', [metric({ value: 0.75 })]), documentOf('org/b', [])];
  const ids = runs.map((run, at) => ({ ...run, invocation: `${at}`.repeat(16) }));
  const matrix = matrixOf(ids);
  expect(matrix.runs).toEqual(['org/a', `org/b (${'1'.repeat(16)})`, `org/b (${'2'.repeat(16)})`]);
  expect(matrix.rows).toEqual([
    { task: longName, metric: 'mmlu_acc', cells: ['0.5000 ± 0.1000', '0.7500 ± 0.1000', ''] },
    { task: longName, metric: 'mmlu_tiny', cells: ['0.00001', '', ''] },
  ]);
  expect(matrixTable(matrix)).toContain('0.7500 ± 0.1000');
  expect(markdownOf(ids)).toContain('| 0.5000 ± 0.1000 | 0.7500 ± 0.1000 |  |');
  expect(csvOf(ids).split('\r\n')).toHaveLength(1 + 3 + 2 + 2);
});

test('what a task took, and how much of the endpoint time was of use, in words', () => {
  const document = documentOf('org/model', metrics);
  const table = costsTable(document);
  for (const text of ['1 min 0 s', '1 min 40 s', '1422 / 40', '268 ms', '11 %', '0.1 USD'])
    expect(table).toContain(text);
  expect(usefulShareLine(document)).toEqual([
    'useful endpoint time: 11 % (requests were under way for 11 s of 1 min 40 s)',
  ]);
  expect(costsTable(documentOf('org/model', [])).split('\n').length).toBeGreaterThan(1);
});

test('findings are said once for all tasks that they concern, unless a note says the same', () => {
  const run = described('org/model', metrics);
  const findings = [finding(0), finding(0, { kind: 'fallback', message: 'Run 0-shot', advice: 'x' })];
  const other = { ...summary, index: 1, findings: [finding(1)] };
  const [first] = run.resultsInfo?.summaries ?? [];
  if (!first || !run.resultsInfo) throw new Error('no summary');
  const tasks = run.snapshot.tasks.map((task) => ({ ...task, message: 'Run 0-shot: examples …' }));
  const both = {
    ...run,
    snapshot: { ...run.snapshot, tasks },
    resultsInfo: { ...run.resultsInfo, summaries: [{ ...first, findings }, other] },
  };
  const line = 'check tasks 0, 1: 12 of 400 requests failed. Run the task again.';
  expect(findingLines(both)).toEqual([line]);
  expect(findingLines(both, 0)).toEqual(['and 1 more findings (results --json has all)']);
  expect(statusText({ run: both, now, width: 120 })).toContain(line);
  const closing = { run: both, verdict: 'succeeded', outputDir: null, program: 'evalsaga', now } as const;
  expect(closingLines(closing)).toContain(`  ${line}`);
});

test('the models of one run are columns of their own', () => {
  const document = documentOf('org/base, org/tuned', []);
  const score = metric({ name: 'acc', value: 0.5, stderr: null });
  const of = (model: string, value: number) => ({
    ...(document.tasks[0] as RunDocument['tasks'][number]),
    ...{ model, name: `${model}/hellaswag`, scores: [{ ...score, value }] },
  });
  const run = { ...document, findings: [], tasks: [of('base', 0.25), of('tuned', 0.75)] };
  expect(matrixOf(byModel(run))).toEqual({
    runs: ['base', 'tuned'],
    rows: [{ task: 'hellaswag', metric: 'acc', cells: ['0.2500', '0.7500'] }],
  });
  expect(markdownOf([run])).toContain('| hellaswag | acc | 0.2500 | 0.7500 |');
  const [head = '', ...rows] = csvOf([run]).split('\r\n');
  const columns = head.split(',');
  expect(rows.map((line) => ['model', 'task'].map((name) => cells(line)[columns.indexOf(name)]))).toEqual([
    ['base', 'hellaswag'],
    ['tuned', 'hellaswag'],
  ]);
  expect(byModel(document)).toEqual([document]);
});
