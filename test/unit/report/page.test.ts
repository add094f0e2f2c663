import { html } from '../../../src/report/page/html';
import { pageHtml } from '../../../src/report/page/page';
import { intervalsHtml, timelineHtml } from '../../../src/report/page/plots';
import { tableHtml } from '../../../src/report/page/table';

const hostile = `<script>alert(1)</script>"'&\u202e\u0007\ud800`;
const harmless = '&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\ufffd';

test('text becomes part of HTML only escaped', () => {
  expect(html`<p title="${hostile}">${[html`<b>${1}</b>`, null, false, 'a < b']}</p>`.text).toBe(
    `<p title="${harmless}"><b>1</b>a &lt; b</p>`,
  );
});

test('a page needs nothing but itself, whatever its texts contain', () => {
  const table = tableHtml(
    [{ name: hostile, value: '1' }],
    [
      { title: hostile, cell: ({ name }) => name },
      { title: 'Value', cell: ({ value }) => value, isNumber: true },
      { title: 'Nowhere', cell: () => null },
    ],
  );
  const plot = intervalsHtml({
    caption: hostile,
    axis: 'score',
    rows: [{ label: hostile, value: 0.5, low: 0.4, high: 0.6, title: hostile }],
  });
  const page = pageHtml({
    title: hostile,
    summary: html`of ${hostile}`,
    sections: ['a', 'b', 'c'].map((id) => ({ id, title: hostile, body: html`${table}${plot}` })),
    writtenAt: '2026-11-28T07:00:00Z',
    version: '0.1.0',
  });
  expect(page).not.toContain('<script');
  expect(page).not.toContain('Nowhere');
  expect(page).toContain('default-src &#39;none&#39;');
  expect(page.replaceAll('http://www.w3.org/', '')).not.toMatch(/https?:|src=|@import|url\(/);
  expect(page).toContain('<td class="number">1</td>');
  expect(page).not.toMatch(/[\u202e\u0007]/);
});

test('plots place their marks by value, and name them', () => {
  const plot = intervalsHtml({
    caption: 'Differences',
    axis: 'delta',
    reference: 0,
    rows: [
      { label: 'first', value: -0.5, low: -1, high: 0, title: 'first: -0.5' },
      { label: 'second', value: 0.5, title: 'second: 0.5' },
    ],
  }).text;
  const dots = [...plot.matchAll(/<circle fill="[^"]+" r="4" cy="([\d.]+)" cx="([\d.]+)"><title>([^<]+)/g)];
  expect(dots.map(([, , , title]) => title)).toEqual(['first: -0.5', 'second: 0.5']);
  const [first, second] = dots.map(([, , x]) => Number(x));
  expect(first).toBeLessThan(Number(second));
  expect(plot.match(/<line/g)?.length).toBeGreaterThan(1);
});

test('several series share a label; long names are not cut', () => {
  const label = 'lm-evaluation-harness.mmlu_'.repeat(4);
  const rows = ['one', 'two'].map((series, at) => ({ label, series, value: at, title: series }));
  const plot = intervalsHtml({ caption: '', axis: 'score', rows }).text;
  expect(plot).toContain(label);
  expect(plot).toMatch(/fill="var\(--mark\)"[^]*fill="var\(--other\)"/);
});

test('a timeline has one bar per span', () => {
  const rows = [
    { label: '0 a', kind: 'endpoint', from: 0, until: 1200, title: 'endpoint of 0' },
    { label: '0 a', kind: 'job', from: 60, until: 1100, title: 'job of 0' },
  ];
  const plot = timelineHtml({ caption: 'When', rows }).text;
  expect(plot).toContain('minutes since the start');
  expect(plot.match(/<title>/g)).toHaveLength(2);
});
