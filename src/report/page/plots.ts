import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { harmlessText } from '../../support/terminal-text';
import { html, trusted, type Html } from './html';

/**
 * The plots of the reports, as SVG that is part of the page. What belongs together is in each mark's title, so that a pointer over
 * the mark shows it. Loading this module loads the plotting library: import it only where a report is written.
 */

export interface PlotFigure {
  readonly caption: string;
  readonly options: Plot.PlotOptions;
}

/** Returns a figure with a plot. */
export function figureHtml({ caption, options }: PlotFigure): Html {
  // Both libraries take their types from the browser's, which Node programs don't have.
  const { document } = parseHTML('<!doctype html><html><body></body></html>') as unknown as {
    readonly document: object;
  };
  const look = { width: 900, marginBottom: 44, ...options, style: { fontSize: '12px' }, document };
  const plot = Plot.plot(look) as unknown as { readonly outerHTML: string };
  return html`<figure>
    <figcaption>${caption}</figcaption>
    ${trusted(plot.outerHTML)}
  </figure>`;
}

/** One score or difference with its interval. Numbers are finite. */
export interface IntervalRow {
  readonly label: string;
  /** Rows of different series, such as runs, have different colours. */
  readonly series?: string;
  readonly value: number;
  /** Both ends of the interval; absent: not known. */
  readonly low?: number;
  readonly high?: number;
  /** Shown by a pointer over the mark. */
  readonly title: string;
}

export interface IntervalPlot {
  readonly caption: string;
  readonly rows: readonly IntervalRow[];
  readonly axis: string;
  /** A vertical line, e.g. at 0 for differences. */
  readonly reference?: number;
}

const rowHeight = 26;
/** Colours of series, by CSS variables and, beyond those, of the library's palette for categories. */
export const seriesColours = ['var(--mark)', 'var(--other)', 'var(--good)', 'var(--warn)', 'var(--bad)'];

/** Returns a plot of points with intervals, one line per label (and series). */
export function intervalsHtml({ caption, rows: given, axis, reference }: IntervalPlot): Html {
  const rows = given.map(withHarmlessTexts);
  const series = [...new Set(rows.flatMap((row) => row.series ?? []))];
  const colourOf = ({ series: one }: IntervalRow): string =>
    seriesColours[Math.max(0, series.indexOf(one ?? '')) % seriesColours.length] ?? 'var(--mark)';
  const place = series.length > 1 ? { fy: 'label', y: 'series' } : { y: 'label' };
  const labels = [...new Set(rows.map(({ label }) => label))];
  const lines = series.length > 1 ? labels.length * series.length : labels.length;
  const within = rows.filter(({ low, high }) => low !== undefined && high !== undefined);
  return figureHtml({
    caption,
    options: {
      height: lines * (series.length > 1 ? rowHeight - 8 : rowHeight) + 60,
      marginLeft: series.length > 1 ? marginFor(series) : marginFor(labels),
      marginRight: series.length > 1 ? marginFor(labels) : 40,
      x: { label: axis, grid: true, nice: true },
      y: { label: null, domain: series.length > 1 ? series : labels },
      ...(series.length > 1 ? { fy: { label: null, domain: labels } } : {}),
      marks: [
        ...(reference === undefined ? [] : [Plot.ruleX([reference], { stroke: 'var(--faint)' })]),
        Plot.ruleY(within, { ...place, x1: 'low', x2: 'high', stroke: colourOf, strokeWidth: 2, title: 'title' }),
        Plot.dot(rows, { ...place, x: 'value', fill: colourOf, r: 4, title: 'title' }),
      ],
    },
  });
}

/** Something with a beginning and an end, both in seconds since the run's start. */
export interface TimelineRow {
  readonly label: string;
  readonly kind: string;
  readonly from: number;
  readonly until: number;
  readonly title: string;
}

/** Returns a timeline: one line per label, one bar per row, the kinds in different colours. */
export function timelineHtml({
  caption,
  rows: given,
}: {
  readonly caption: string;
  readonly rows: readonly TimelineRow[];
}): Html {
  const rows = given.map(withHarmlessTexts);
  const kinds = [...new Set(rows.map(({ kind }) => kind))];
  const labels = [...new Set(rows.map(({ label }) => label))];
  const isLong = Math.max(...rows.map(({ until }) => until)) > 600;
  const unit = isLong ? 60 : 1;
  return figureHtml({
    caption,
    options: {
      height: labels.length * rowHeight + 60,
      marginLeft: marginFor(labels),
      x: { label: isLong ? 'minutes since the start' : 'seconds since the start', grid: true },
      y: { label: null, domain: labels },
      marks: kinds.map((kind, at) =>
        Plot.barX(
          rows.filter((row) => row.kind === kind),
          {
            x1: ({ from }: TimelineRow) => from / unit,
            x2: ({ until }: TimelineRow) => until / unit,
            y: 'label',
            fill: seriesColours[at % seriesColours.length] ?? 'var(--mark)',
            insetTop: at * 4,
            insetBottom: at * 4,
            title: 'title',
          },
        ),
      ),
    },
  });
}

/** The plotting library escapes markup, but lets control characters pass. */
const withHarmlessTexts = <Row extends object>(row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([key, value]: [string, unknown]) => [
      key,
      typeof value === 'string' ? harmlessText(value) : value,
    ]),
  ) as Row;

/** Room for labels, which are never cut; a character has about 7 units. */
export const marginFor = (labels: readonly string[]): number =>
  Math.min(560, 24 + 7 * Math.max(1, ...labels.map(({ length }) => length)));
