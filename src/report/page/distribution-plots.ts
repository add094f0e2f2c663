import * as Plot from '@observablehq/plot';
import { harmlessLine } from '../../support/terminal-text';
import type { Html } from './html';
import { figureHtml, marginFor, seriesColours } from './plots';

/** Plots of distributions. Loads the plotting library, as `plots.ts` does. */

export interface HistogramGroup {
  readonly label: string;
  readonly distribution: {
    readonly count: number;
    readonly bins: readonly { readonly from: number; readonly until: number; readonly count: number }[];
  };
}

interface HistogramPlot {
  readonly caption: string;
  readonly axis: string;
  readonly groups: readonly HistogramGroup[];
}

const groupHeight = 80;

/** Returns one histogram per group, below each other, on one logarithmic axis. */
export function histogramHtml({ caption, axis, groups }: HistogramPlot): Html {
  const labels = groups.map(({ label }) => harmlessLine(label));
  const bars = groups.flatMap(({ distribution: { bins, count: all } }, at) =>
    bins
      .filter(({ count }) => count > 0)
      .map(({ from, until, count }) => ({
        label: labels[at],
        from,
        until,
        share: count / all,
        title: `${labels[at]}: ${count} of ${all} from ${from} to ${until}`,
      })),
  );
  return figureHtml({
    caption,
    options: {
      height: groups.length * groupHeight + 60,
      marginRight: marginFor(labels),
      marginLeft: 50,
      x: { type: 'log', label: axis, tickFormat: (value: number) => String(value) },
      y: { label: '% of requests', percent: true, grid: true, ticks: 3 },
      fy: { label: null, domain: labels },
      marks: [
        Plot.rect(bars, {
          fy: 'label',
          x1: 'from',
          x2: 'until',
          y1: 0,
          y2: 'share',
          fill: 'var(--mark)',
          insetRight: 1,
          title: 'title',
        }),
        Plot.ruleY([0]),
      ],
    },
  });
}

interface SpanPlot {
  readonly caption: string;
  readonly axis: string;
  readonly rows: readonly {
    readonly label: string;
    readonly series: string;
    readonly value: number;
    readonly max: number;
    readonly title: string;
  }[];
}

/** Returns a plot of means with lines to their maxima, one line per label and series. */
export function spanHtml({ caption, axis, rows: given }: SpanPlot): Html {
  const rows = given.map((row) => ({ ...row, label: harmlessLine(row.label), title: harmlessLine(row.title) }));
  const labels = [...new Set(rows.map(({ label }) => label))];
  const series = [...new Set(rows.map((row) => row.series))];
  const colour = (row: { readonly series: string }): string =>
    seriesColours[series.indexOf(row.series) % seriesColours.length] ?? 'var(--mark)';
  return figureHtml({
    caption,
    options: {
      height: labels.length * series.length * 18 + 60,
      marginLeft: marginFor(series),
      marginRight: marginFor(labels),
      x: { label: axis, grid: true, nice: true, zero: true },
      y: { label: null, domain: series },
      fy: { label: null, domain: labels },
      marks: [
        Plot.ruleY(rows, {
          fy: 'label',
          y: 'series',
          x1: 'value',
          x2: 'max',
          stroke: colour,
          strokeWidth: 2,
          title: 'title',
        }),
        Plot.dot(rows, { fy: 'label', y: 'series', x: 'value', fill: colour, r: 4, title: 'title' }),
      ],
    },
  });
}
