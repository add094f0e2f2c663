import { intervalOf } from '../../contract/interval';
import { valueText, type Metric } from '../../contract/metric';
import { nameInConfig, withoutHarness } from '../../contract/task-name';
import { html, type Html } from '../page/html';
import type { Section } from '../page/page';
import { intervalsHtml, type IntervalRow } from '../page/plots';
import { tableHtml } from '../page/table';
import type { ReportedRun, ReportedTask } from './reported-run';

interface Score {
  readonly task: ReportedTask;
  readonly metric: Metric;
}

/** Rows of one plot; the table has all. */
const mostRows = 80;

/** Scores with their 95 % intervals: a plot per scale, and a table. */
export function scoresSection({ tasks }: ReportedRun): Section {
  const scores = tasks.flatMap((task) => task.scores.map((metric): Score => ({ task, metric })));
  const body =
    scores.length === 0
      ? html`<p>There are no scores.</p>`
      : html`${scales.map((scale) => plot(scale, scores))}${table(scores)}`;
  return { id: 'scores', title: 'Scores', body };
}

interface Scale {
  readonly caption: string;
  readonly has: (value: number) => boolean;
}

/** Scores of one scale share an axis. */
const scales: readonly Scale[] = [
  { caption: 'from 0 to 1', has: (value) => value >= 0 && value <= 1 },
  { caption: 'from 1 to 100', has: (value) => value > 1 && value <= 100 },
  { caption: 'on other scales', has: (value) => value < 0 || value > 100 },
];

function plot({ caption, has }: Scale, scores: readonly Score[]): Html | null {
  const rows = scores.flatMap(({ task, metric }): IntervalRow[] => {
    const { value } = metric;
    if (typeof value !== 'number' || !has(value)) return [];
    const { index, name } = task.snapshot;
    const title = `${index} ${name}: ${metric.name} = ${valueText(value)}${intervalText(metric, ', 95 % interval ')}`;
    return [{ label: labelOf(task, metric), value, ...intervalOf(metric), title }];
  });
  if (rows.length === 0) return null;
  const more = rows.length > mostRows ? `; the first ${mostRows} of ${rows.length}, all are in the table` : '';
  return intervalsHtml({
    caption: `Scores ${caption}, with 95 % intervals from the standard errors where there are any${more}`,
    axis: 'score',
    rows: rows.slice(0, mostRows),
  });
}

/** A metric usually begins with the task's name. */
const labelOf = ({ snapshot: { index, name } }: ReportedTask, metric: Metric): string => {
  const own = withoutHarness(name);
  const shown = metric.name.startsWith(nameInConfig(own)) ? own.slice(0, own.indexOf('/') + 1) : `${own} `;
  return `${index} ${shown}${metric.name}`;
};

function intervalText(metric: Metric, before = ''): string {
  const interval = intervalOf(metric);
  return interval ? `${before}${valueText(interval.low)} to ${valueText(interval.high)}` : '';
}

const table = (scores: readonly Score[]): Html =>
  tableHtml(scores, [
    { title: '#', cell: ({ task }) => String(task.snapshot.index), isNumber: true },
    { title: 'Task', cell: ({ task }) => `${task.snapshot.name}${task.snapshot.partial ? ' (partial)' : ''}` },
    { title: 'Group', cell: ({ metric }) => (metric.path.length > 1 ? metric.path.join(' › ') : null) },
    { title: 'Metric', cell: ({ metric }) => metric.name },
    { title: 'Value', cell: ({ metric }) => valueText(metric.value), isNumber: true },
    {
      title: '± stderr',
      cell: ({ metric }) => (metric.stderr === null ? null : valueText(metric.stderr)),
      isNumber: true,
    },
    { title: '95 % interval', cell: ({ metric }) => intervalText(metric), isNumber: true },
    { title: 'Samples', cell: samplesCell, isNumber: true },
  ]);

function samplesCell({ task: { summary }, metric }: Score): string | null {
  const { done = null, asked = null, of = null, repeats = null } = summary?.samples ?? {};
  const times = repeats !== null && repeats > 1 ? `, ${repeats} times each` : '';
  if (done === null) return metric.count === null ? null : `${metric.count}${times}`;
  const total = of !== null && of !== asked ? `; data set ${of}` : '';
  return `${done} of ${asked ?? '?'}${total}${times}`;
}
