import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { comparisonPage } from '../../../src/compare/render/comparison-page';
import { comparisonMarkdown } from '../../../src/compare/render/markdown';
import { gateMarkdown } from '../../../src/compare/gate/gate-markdown';
import { gateRuns } from '../../../src/compare/gate/gate-runs';
import { gateJunit } from '../../../src/compare/gate/junit';
import type { GateReport } from '../../../src/compare/gate/gate';
import type { CompareOptions } from '../../../src/compare/options';
import { comparisonText } from '../../../src/cli/render/comparison';
import { gateText } from '../../../src/cli/render/gate';
import { plainStyle } from '../../../src/cli/render/style';
import { freshFolder } from '../../support/folders';
import { seeded, writeHarnessRun, writeRun, type HarnessTask } from '../../support/harness-results';

let root: Awaited<ReturnType<typeof freshFolder>>;
beforeEach(async () => void (root = await freshFolder('gate')));
afterEach(() => root.dispose());

const at = (...names: string[]): string => path.join(root.path, ...names);

/** `lost`: share of the right answers that the candidate gets wrong, by task. */
function results(lost: Readonly<Record<string, number>>, options: Partial<HarnessTask> = {}): void {
  const random = seeded(2);
  const side = (isCandidate: boolean): HarnessTask[] =>
    Object.entries(lost).map(([name, share]) => ({
      name,
      values: {
        acc: Array.from({ length: 400 }, (_, id) => (id % 3 === 0 || (isCandidate && random() < share) ? 0 : 1)),
      },
      ...(isCandidate ? options : {}),
    }));
  writeRun(at('base'), { tasks: side(false) });
  writeRun(at('candidate'), { tasks: side(true) });
}

async function gated(policy: string, options: CompareOptions = {}): Promise<GateReport> {
  writeFileSync(at('policy.yaml'), policy);
  const sides = { base: { folder: at('base') }, candidate: { folder: at('candidate') } };
  return gateRuns({ ...sides, policy: at('policy.yaml') }, options);
}

const statuses = ({ benchmarks }: GateReport): Record<string, string> =>
  Object.fromEntries(benchmarks.map(({ benchmark, status }) => [benchmark, status]));

test('GO, NO-GO and INCONCLUSIVE, by tiers', async () => {
  results({ mmlu: 0, gsm8k: 0.2, piqa: 0.02 });
  const go = await gated('defaults: { max_drop: 0.3 }');
  expect([go.verdict, statuses(go)]).toEqual(['GO', { mmlu: 'PASS', gsm8k: 'PASS', piqa: 'PASS' }]);
  const no = await gated('benchmarks: { mmlu: { tier: critical }, piqa: { tier: advisory } }');
  expect(no).toMatchObject({ verdict: 'NO-GO', reasons: ['BREACH: gsm8k (supporting)'] });
  const advisory = await gated('benchmarks: { gsm8k: { tier: advisory }, piqa: { max_drop: 0.1 } }');
  expect([advisory.verdict, statuses(advisory)['gsm8k']]).toEqual(['GO', 'BREACH']);
  const unsure = await gated('benchmarks: { gsm8k: { tier: advisory }, piqa: { max_drop: 0.013 } }');
  expect(unsure).toMatchObject({ verdict: 'INCONCLUSIVE', reasons: ['INSUFFICIENT_EVIDENCE: piqa (supporting)'] });
  const missing = await gated('benchmarks: { truthfulqa: {}, gsm8k: { tier: advisory }, piqa: { max_drop: 0.1 } }');
  expect([missing.verdict, statuses(missing)['truthfulqa']]).toEqual(['NO-GO', 'MISSING']);
});

test("nel's names of scores stand for the first one, and names may lack the harness", async () => {
  results({ 'lm-evaluation-harness.mmlu': 0 });
  const report = await gated('benchmarks: { mmlu: { metric: mean_reward } }');
  expect(report).toMatchObject({
    verdict: 'GO',
    warnings: ['mmlu: judged by acc, the first of: acc'],
    benchmarks: [{ benchmark: 'mmlu', metric: 'acc' }],
  });
  const unknown = await gated('benchmarks: { mmlu: { metric: f1 } }');
  expect(unknown.benchmarks[0]?.reasons).toEqual(['no score f1; there are: acc']);
});

test('relative drops count below the guard only', async () => {
  results({ gsm8k: 0.1 });
  const limits = 'max_drop: 0.5, max_relative_drop: 0.05';
  expect((await gated(`benchmarks: { gsm8k: { ${limits} } }`)).benchmarks[0]?.reasons[0]).toContain('more than 5.0 %');
  expect((await gated(`benchmarks: { gsm8k: { ${limits}, relative_guard_below: 0.5 } }`)).verdict).toBe('GO');
});

test.each([
  [undefined, '95 %', 'INCONCLUSIVE'],
  [0.05, '95 %', 'INCONCLUSIVE'],
  [0.001, '99.9 %', 'INCONCLUSIVE'],
  [0.32, '68 %', 'GO'],
])('with an alpha of %s every format says that intervals are of %s', async (alpha, level, verdict) => {
  results({ piqa: 0.05, gsm8k: 0 });
  const report = await gated('defaults: { max_drop: 0.033 }', alpha === undefined ? {} : { alpha });
  expect([report.verdict, `${report.confidence * 100} %`]).toEqual([verdict, level]);
  const { comparison } = report;
  const view = { style: plainStyle, withParts: true };
  const shown = [
    [gateText(report, plainStyle), `${level} CI`],
    [gateMarkdown(report), `${level} CI`],
    [gateJunit(report), `(${level})`],
    [comparisonText(comparison, view), `${level} CI`],
    [comparisonMarkdown(comparison), `${level} CI`],
    [comparisonPage(comparison, { writtenAt: '2026-11-28T08:00:00Z', version: '0.1.0' }), `with ${level} intervals`],
  ] as const;
  for (const [text, expected] of shown) {
    expect(text).toContain(expected);
    const levels = text.match(/[\d.]+ %(?= CI| interval|\))/g) ?? [];
    expect([...new Set(levels)]).toEqual([level]);
  }
});

test('runs of different settings are never a GO', async () => {
  results({ gsm8k: 0 }, { shots: 5 });
  const report = await gated('defaults: { max_drop: 0.5 }');
  expect(report.verdict).toBe('INCONCLUSIVE');
  expect(report.benchmarks[0]?.reasons[0]).toContain('not comparable: few-shot');
});

const samplesFile = (task: string): string =>
  at('candidate', task, 'org__model', `samples_${task.replace(/^\d+-/, '')}_2026-11-28T02-32-30.325823.jsonl`);

/** Ways in which the candidate's evaluation of `mmlu` is not whole, and what is said of them. */
const incomplete: readonly (readonly [what: string, spoil: () => void, reason: string])[] = [
  [
    'a short samples file',
    () => {
      const lines = readFileSync(samplesFile('0-mmlu'), 'utf8').split('\n');
      writeFileSync(samplesFile('0-mmlu'), lines.slice(0, 160).join('\n'));
    },
    'candidate: 240 of 400 samples of mmlu are missing',
  ],
  [
    'the marker of an interrupted job',
    () => writeFileSync(at('candidate', '0-mmlu', '.evalsaga_interrupted'), ''),
    'candidate: its job was interrupted',
  ],
  ['a partial task', () => inRecord({ partial: true }), 'candidate: its job was interrupted'],
  ['a failed task', () => inRecord({ outcome: 'failed' }), 'candidate: the task failed'],
  ['a task without an end', () => inRecord({ outcome: null }), 'candidate: the task had not ended'],
];

/** Changes the record of the candidate's first task. */
function inRecord(change: object): void {
  const file = at('candidate', 'run.json');
  const { tasks, ...record } = JSON.parse(readFileSync(file, 'utf8')) as { readonly tasks: readonly object[] };
  writeFileSync(
    file,
    JSON.stringify({ ...record, tasks: tasks.map((task, at) => (at ? task : { ...task, ...change })) }),
  );
}

describe.each(incomplete)('a candidate with %s', (_, spoil, reason) => {
  const critical = 'benchmarks: { mmlu: { tier: critical, max_drop: 0.05 } }';

  test('is no GO unless that is accepted', async () => {
    results({ mmlu: 0 });
    spoil();
    const report = await gated(critical);
    expect([report.verdict, statuses(report)]).toEqual(['INCONCLUSIVE', { mmlu: 'INSUFFICIENT_EVIDENCE' }]);
    expect(report.benchmarks[0]?.reasons[0]).toContain(reason);
    expect(report.benchmarks[0]).toMatchObject({ metric: 'acc', base: expect.any(Number), delta: 0 });
    expect(report.comparison.tasks[0]?.incomplete).toContain(reason);
    expect((await gated(critical, { accept: ['incomplete'] })).verdict).toBe('GO');
  });

  test('is a NO-GO if it is worse all the same', async () => {
    results({ mmlu: 0.4 });
    spoil();
    const report = await gated(critical);
    expect([report.verdict, statuses(report)]).toEqual(['NO-GO', { mmlu: 'BREACH' }]);
    expect(report.benchmarks[0]?.reasons.join()).toContain(reason);
    const relative = await gated('benchmarks: { mmlu: { max_drop: 1, max_relative_drop: 0.05 } }');
    expect(statuses(relative)).toEqual({ mmlu: 'BREACH' });
  });
});

test("a task that failed without scores says why it can't be judged", async () => {
  results({ mmlu: 0 });
  inRecord({ outcome: 'failed', error: { type: 'JobFailed', message: 'out of memory' } });
  rmSync(at('candidate', '0-mmlu', 'org__model'), { recursive: true });
  const report = await gated('benchmarks: { mmlu: {} }');
  expect(report.verdict).toBe('INCONCLUSIVE');
  expect(report.benchmarks[0]?.reasons[0]).toBe('candidate: the task failed: out of memory');
});

test.each([
  ['version: 2', 'this evalsaga reads version 1'],
  ['benchmarks: { mmlu: { max_drop: -1 } }', 'benchmarks.mmlu.max_drop'],
  ['benchmarks: { mmlu: { max_drp: 0.1 } }', 'benchmarks.mmlu'],
  ['defaults: { relative_guard_below: 2 }', 'defaults.relative_guard_below'],
  ['- a list', 'the file'],
  ['a: [', "can't be read"],
])('the policy %s is refused', async (policy, reason) => {
  results({ mmlu: 0 });
  await expect(gated(policy)).rejects.toThrow(reason);
});

test('as JUnit, Markdown and HTML, whatever names and texts contain', async () => {
  const name = 'a|b<script>&"';
  const values = { acc: Array.from({ length: 60 }, (_, id) => id % 2) };
  const hostile = { name: 'drop', values, prompts: (id: number) => `<script>alert(${id})</script> \`\`\`` };
  writeHarnessRun(at('base'), { tasks: [hostile], model: 'org/a' });
  writeHarnessRun(at('candidate'), {
    tasks: [{ ...hostile, values: { acc: values.acc.map(() => 0) } }],
    model: `org/b`,
  });
  writeFileSync(at('policy.yaml'), `benchmarks: { drop: { tier: critical }, ${JSON.stringify(name)}: {} }`);
  const sides = { base: { folder: at('base'), label: name }, candidate: { folder: at('candidate') } };
  const report = await gateRuns({ ...sides, policy: at('policy.yaml') }, { flips: 2 });
  const xml = gateJunit(report);
  expect(xml).toMatch(/^<\?xml/);
  expect(xml).toContain('tests="2" failures="2" errors="0"');
  expect(xml).toContain('name="a|b&lt;script&gt;&amp;&quot;"');
  const markdown = gateMarkdown(report);
  expect(markdown).toMatch(/^# Gate: NO-GO\n/);
  expect(markdown).toContain('| drop | critical | ❌ BREACH | acc | 0.5000 | 0 | −0.5000 |');
  expect(markdown).toContain('a\\|b&lt;script>&amp;"');
  expect(comparisonMarkdown(report.comparison)).toContain('````\n<script>alert(');
  const page = comparisonPage(report.comparison, { writtenAt: '2026-11-28T08:00:00Z', version: '0.1.0' });
  expect(page).not.toContain('<script>');
  expect(page).toContain('drop acc: −0.5000');
  expect(page).toContain('&lt;script&gt;alert(');
});
