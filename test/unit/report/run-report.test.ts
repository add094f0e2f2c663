import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { metricPayload, type Metric } from '../../../src/contract/metric';
import { runReport } from '../../../src/report/run/run-report';
import { reportedTask, type ReportedRun } from '../../../src/report/run/reported-run';
import { readSummaries } from '../../../src/results/summary/task-summary';
import { findBrowser, openPage, printPage } from '../../support/browser';
import { freshFolder } from '../../support/folders';
import { taskOf } from '../../support/snapshots';

const real = path.join(__dirname, '../../fixtures/harness/hellaswag');
const written = { writtenAt: '2026-11-28T03:00:00Z', version: '0.1.0' };
const hostile = '<img src=x onerror=alert(1)>';

const score = (name: string, value: Metric['value'], stderr: number | null): Metric => ({
  ...{ name, value, stderr, count: null, kind: 'task', path: ['hellaswag'], metric: name, score: name },
});

/** Scores of several scales; the interval of the first is 0.1 to 0.5. */
const scores = [
  score('acc', 0.3, 0.2 / 1.959964),
  score('acc_norm', 0.2, null),
  score('tiny', 0.00001, null),
  score('bleu', 41.5, 2),
  score('perplexity', 1234.5, null),
  score('broken', 'NaN', null),
];

async function reported(change: Partial<ReportedRun> = {}): Promise<ReportedRun> {
  const endpoint = { from: '2026-11-28T02:31:41.000Z', until: '2026-11-28T02:32:34.000Z' };
  const job = { from: '2026-11-28T02:31:51.000Z', until: '2026-11-28T02:32:33.000Z' };
  const done = taskOf({
    ...{ phase: 'done', outcome: 'succeeded', outputDir: real, usage: { endpoint, job } },
    ...metricPayload(scores),
  });
  const failed = taskOf({
    ...{ index: 1, name: hostile, phase: 'done', outcome: 'failed' },
    error: { type: 'JobFailed', message: `out of memory ${hostile}` },
  });
  const summaries = await readSummaries({ tasks: [done], folderOf: () => real, withinMs: 60_000 });
  const of = { budget: { limit: 5, currency: 'USD', endpointPerHour: 36, jobPerHour: 0 }, nowMs: 0 };
  return {
    ...{ invocation: 'e7422dd2cb51c2f2', model: 'org/model', status: 'failed', isSimulated: false },
    ...{ platform: 'the local platform', startedAt: endpoint.from, endedAt: endpoint.until },
    countedTo: endpoint.until,
    tasks: [done, failed].map((task) => reportedTask(task, { summary: summaries.get(task.index), ...of })),
    cost: { currency: 'USD', limit: 5, spent: 0.53, perHour: 0 },
    usefulShare: 0.21,
    left: [{ kind: 'endpoint', name: 'es-1', reason: '403' }],
    kept: [],
    provenance: [['Command', `evalsaga start ${hostile}`]],
    config: 'model: org/model\n  indented: true\n',
    ...change,
  };
}

test('a report has everything about a run, escaped, and needs nothing else', async () => {
  const page = runReport([await reported()], written);
  expect(page).not.toContain('<img');
  expect(page).not.toContain('<script');
  expect(page.replaceAll('http://www.w3.org/', '').replace(/<pre>[^]*<\/pre>/, '')).not.toMatch(/https?:|src=x"/);
  for (const text of [
    ...['org/model', 'failed', 'the local platform', '&lt;img src=x onerror=alert(1)&gt;', 'out of memory'],
    ...['0.1000 to 0.5000', '0.00001', '1234.5', 'NaN', '10 of 10; data set 10042'],
    ...['Still exists: endpoint es-1: 403', '0.53 USD', '21.0 %', '1422', '880 ms', 'hellaswag 1'],
  ])
    expect(page).toContain(text);
  expect(page).toContain('model: org/model\n  indented: true\n');
});

test('a simulated run says so; a run without anything has a report, too; several runs are one file', async () => {
  const run = await reported({ isSimulated: true });
  expect(runReport([run], written)).toContain('the scores are made up');
  const empty = { ...run, tasks: [], cost: null, usefulShare: null, config: null, endedAt: null };
  expect(runReport([empty], written)).toContain('There are no scores.');
  const both = runReport([run, { ...run, invocation: '0123456789abcdef', model: 'org/other' }], written);
  expect(both).toContain('id="scores-e7422dd2cb51c2f2"');
  expect(both).toContain('Scores: org/other');
});

/** Runs in the page: reads values back from where the marks are, by the labels of the axes. */
const reader = `
const center = (element) => {
  const box = element.getBoundingClientRect();
  return { x: box.x + box.width / 2, y: box.y + box.height / 2, left: box.left, right: box.right };
};
const ticks = (svg, axis) => [...svg.querySelectorAll('[aria-label="' + axis + '-axis tick label"] text')]
  .map((text) => ({ text: text.textContent, ...center(text) }));
const scale = (svg) => {
  const all = ticks(svg, 'x');
  const [a, b] = [all[0], all[all.length - 1]];
  const number = (tick) => Number(tick.text.replace('\\u2212', '-').replaceAll(',', ''));
  return (x) => number(a) + (x - a.x) * (number(b) - number(a)) / (b.x - a.x);
};
const nearest = (svg, y) => ticks(svg, 'y').reduce((best, tick) => Math.abs(tick.y - y) < Math.abs(best.y - y) ? tick : best).text;
const found = {
  points: [...document.querySelectorAll('#scores svg')].flatMap((svg) => [...svg.querySelectorAll('circle')].map((circle) => {
    const at = center(circle);
    return [nearest(svg, at.y), scale(svg)(at.x)];
  })),
  lines: [...document.querySelectorAll('#scores svg')].flatMap((svg) => [...svg.querySelectorAll('[aria-label="rule"] line')].map((line) => {
    const at = center(line);
    return [nearest(svg, at.y), scale(svg)(at.left), scale(svg)(at.right)];
  })),
  bars: [...document.querySelectorAll('#timeline svg rect')].map((bar) => {
    const svg = bar.ownerSVGElement;
    const at = center(bar);
    return [bar.querySelector('title').textContent.split(' ')[0], scale(svg)(at.left), scale(svg)(at.right)];
  }),
  histogram: document.querySelectorAll('#requests svg rect').length,
  background: getComputedStyle(document.body).backgroundColor,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  requests: performance.getEntriesByType('resource').length,
};
const output = document.createElement('script');
output.type = 'application/json';
output.id = 'found';
output.textContent = JSON.stringify(found);
document.body.append(output);
`;

interface Found {
  readonly points: readonly (readonly [string, number])[];
  readonly lines: readonly (readonly [string, number, number])[];
  readonly bars: readonly (readonly [string, number, number])[];
  readonly histogram: number;
  readonly background: string;
  readonly overflow: number;
  readonly requests: number;
}

test('a browser shows the values where they belong, in light and dark, and prints the report', async () => {
  const folder = await freshFolder('report');
  try {
    const page = runReport([await reported()], written);
    const own = path.join(folder.path, 'report.html');
    const file = path.join(folder.path, 'read.html');
    await writeFile(own, page);
    const policy = 'default-src &#39;none&#39;';
    expect(page).toContain(policy);
    const allowing = page.replace(policy, "script-src 'unsafe-inline'");
    await writeFile(
      file,
      allowing.replace('</body>', () => `<script>${reader}</script></body>`),
    );
    const browser = await findBrowser();
    const profile = path.join(folder.path, 'profile');
    const read = async (scheme: 'light' | 'dark'): Promise<Found> => {
      const dom = await openPage({ browser, file, profile, scheme });
      return JSON.parse(/<script type="application\/json" id="found">([^]*?)<\/script>/.exec(dom)?.[1] ?? 'null');
    };

    const light = await read('light');
    const point = new Map(light.points);
    expect([...point.keys()]).toHaveLength(5);
    expect(point.get('0 hellaswag acc')).toBeCloseTo(0.3, 2);
    expect(point.get('0 hellaswag acc_norm')).toBeCloseTo(0.2, 2);
    expect(point.get('0 hellaswag tiny')).toBeCloseTo(0, 2);
    expect(point.get('0 hellaswag bleu')).toBeCloseTo(41.5, 1);
    const [line] = light.lines;
    expect(line?.[0]).toBe('0 hellaswag acc');
    expect(line?.[1]).toBeCloseTo(0.1, 2);
    expect(line?.[2]).toBeCloseTo(0.5, 2);
    expect(light.bars.map(([kind]) => kind)).toEqual(['endpoint', 'job']);
    const [endpoint, job] = light.bars;
    expect(
      [endpoint?.[1], endpoint?.[2], job?.[1], job?.[2]].map((seconds) => Math.round(Math.abs(seconds ?? NaN))),
    ).toEqual([0, 53, 10, 52]);
    expect(light.histogram).toBe(12);
    expect(light).toMatchObject({ background: 'rgb(255, 255, 255)', overflow: 0, requests: 0 });
    expect((await read('dark')).background).toBe('rgb(20, 24, 29)');

    const pdf = path.join(folder.path, 'report.pdf');
    await printPage({ browser, file: own, profile }, pdf);
    expect((await readFile(pdf)).subarray(0, 5).toString()).toBe('%PDF-');
    expect((await stat(pdf)).size).toBeGreaterThan(10_000);
  } finally {
    await folder.dispose();
  }
});
