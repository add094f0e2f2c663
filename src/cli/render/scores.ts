import Table from 'cli-table3';
import type { Sampling } from '../../client';
import { metricsOf, valueText, type Metric } from '../../contract/metric';
import { nameInConfig, withoutHarness } from '../../contract/task-name';
import { metricsLeftOut, type RunSnapshot } from '../../contract/state';
import { bare } from './overview';
import { harmlessLine, shortenedInside } from '../../support/terminal-text';

/** Input of the table of scores. */
export interface Scored extends Pick<RunSnapshot, 'tasks'> {
  readonly samplings?: readonly Sampling[] | undefined;
}

/** Border and padding of a column. */
const columnFrame = 3;
/** Borders and padding of five columns. */
const frame = 16;
/** Follows the name of a task whose job was interrupted. */
const partialMark = ' (partial)';
/** Names are not shortened below this many characters. */
const leastName = 16;

/** One line of the table, all of it text. */
interface Row {
  readonly metric: string;
  readonly value: string;
  readonly stderr: string;
  /** Samples; `''`: not known. */
  readonly count: string;
}

/**
 * Table of a run's scores, one row per task and metric; `''` if there are none. Names are shortened only to fit a terminal of
 * `width` characters (default: unlimited, for files and pipes), and never so that two of one task look the same. Pure.
 */
export function scoresTable({ tasks, samplings = [] }: Scored, width = Infinity): string {
  const counts = new Map(samplings.map((sampling) => [sampling.index, sampleCount(sampling)]));
  const scored = tasks.map(({ index, name, partial, ...task }) => ({
    index,
    name,
    mark: partial ? partialMark : '',
    rows: metricsOf(task).map((metric) => rowOf(metric, counts.get(index))),
  }));
  const rows = scored.flatMap((task) => task.rows);
  if (rows.length === 0) return '';
  const isCounted = rows.some(({ count }) => count !== '');
  const table = new Table({
    head: ['#', 'Task', 'Metric', 'Value', '± stderr', ...(isCounted ? ['n'] : [])],
    colAligns: ['right', 'left', 'left', 'right', 'right', 'right'],
    ...bare,
  });
  const numbers =
    longest(scored.map(({ index }) => String(index))) +
    longest(['Value', ...rows.map(({ value }) => value)]) +
    longest(['± stderr', ...rows.map(({ stderr }) => stderr)]) +
    (isCounted ? longest(rows.map(({ count }) => count)) + columnFrame : 0);
  const room = Math.max(2 * leastName, width - frame - numbers - longest(scored.map(({ mark }) => mark)));
  // The task's name matters less than the metric's, because its number is shown too.
  const nameFit = Math.min(longest(tasks.map(({ name }) => name)), Math.max(leastName, Math.floor(room / 3)));
  for (const { index, name, mark, rows: own } of scored) {
    const shown = namesToShow(name, own, room - nameFit);
    const task = shortenedInside(name.length > nameFit ? withoutHarness(name) : name, nameFit);
    for (const [at, { value, stderr, count }] of own.entries())
      table.push([String(index), `${task}${mark}`, shown[at], value, stderr, ...(isCounted ? [count] : [])]);
  }
  return table.toString();
}

const longest = (texts: readonly string[]): number => texts.reduce((most, { length }) => Math.max(most, length), 0);

/** `countOfTask`: the sample count of the whole task, which says more than the harness' number. */
const rowOf = ({ name, value, stderr, count }: Metric, countOfTask = ''): Row => ({
  metric: harmlessLine(name),
  value: valueText(value),
  stderr: stderr === null ? '' : valueText(stderr),
  count: countOfTask === '' && count !== null ? String(count) : countOfTask,
});

/** Returns what the table doesn't show: that scores are made up, missing, or cover only some samples. Pure. */
export function scoresCaveats({ tasks, simulated }: Pick<RunSnapshot, 'tasks' | 'simulated'>): string[] {
  const isScored = tasks.some(({ metrics }) => Object.keys(metrics).length > 0);
  const madeUp = simulated && isScored ? ['the platform is simulated: these scores are made up'] : [];
  const ofTasks = tasks.flatMap((task) => {
    const { index, metrics, metricsTotal, outputDir, partial } = task;
    const file = outputDir === null ? 'its results.yml' : `${harmlessLine(outputDir)}/results.yml`;
    const shown = Object.keys(metrics).length;
    const leftOut = metricsLeftOut(task) ?? 0;
    return [
      ...(partial ? [`scores of task ${index} are partial: its job was interrupted`] : []),
      ...(leftOut > 0
        ? [
            `task ${index} has ${metricsTotal} metrics, of which ${shown} are shown: all are in ${file}${digestText(task)}`,
          ]
        : []),
    ];
  });
  return [...madeUp, ...ofTasks];
}

/**
 * Returns `10 of 10042`, `10042`, `8 of 10 asked` if some are missing, `limit 10` if the number of evaluated samples is not known,
 * or `''`. Pure.
 */
export function sampleCount({ limit, evaluated, of, asked = null }: Omit<Sampling, 'index'>): string {
  if (evaluated === null) return limit === null ? '' : `limit ${limit}`;
  if (asked !== null && evaluated < asked) return `${evaluated} of ${asked} asked`;
  return of === null || of === evaluated ? String(evaluated) : `${evaluated} of ${of}`;
}

/** Shortens metric names to fit: first drops the task's name, which has its own column, then cuts the middle. */
function namesToShow(task: string, rows: readonly Row[], fit: number): string[] {
  const whole = rows.map(({ metric }) => metric);
  const fits = (names: readonly string[]): boolean => names.every((name) => name.length <= fit);
  if (fits(whole)) return whole;
  const prefix = `${nameInConfig(withoutHarness(task))}_`;
  const own = whole.every((name) => name.startsWith(prefix)) ? whole.map((name) => name.slice(prefix.length)) : whole;
  if (fits(own)) return own;
  const cut = own.map((name) => shortenedInside(name, fit));
  return new Set(cut).size === new Set(own).size ? cut : own;
}

/** The file that is meant, also if it has been replaced since. */
const digestText = ({ resultsDigest }: Pick<RunSnapshot['tasks'][number], 'resultsDigest'>): string =>
  resultsDigest === undefined ? '' : ` (sha256 ${resultsDigest})`;
