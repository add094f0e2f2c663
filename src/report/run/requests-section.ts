import type { Distribution } from '../../results/requests/distribution';
import type { Amount, RequestStats } from '../../results/requests/request-stats';
import type { TokenDistributions } from '../../results/requests/token-counts';
import { html, type Html } from '../page/html';
import type { Section } from '../page/page';
import { histogramHtml, spanHtml } from '../page/distribution-plots';
import { tableHtml } from '../page/table';
import type { ReportedRun, ReportedTask } from './reported-run';

/** Tasks with a plot of their own; the table has all. */
const mostPlots = 16;

interface WithRequests {
  readonly label: string;
  readonly task: ReportedTask;
  readonly requests: RequestStats | undefined;
  readonly latencyMs: Distribution | undefined;
}

/** Latency and tokens of the requests; `undefined` if nothing is known of them. */
export function requestsSection({ tasks }: ReportedRun): Section | undefined {
  const known = tasks.flatMap((task): WithRequests[] => {
    const { summary, snapshot } = task;
    if (!summary || (summary.requests === null && summary.latencyMs === null)) return [];
    const { requests, latencyMs } = summary;
    const label = `${snapshot.index} ${snapshot.name}`;
    return [{ label, task, requests: requests ?? undefined, latencyMs: latencyMs ?? undefined }];
  });
  if (known.length === 0) return undefined;
  return {
    id: 'requests',
    title: 'Latency and tokens',
    body: html`${latencies(known)}${tokens(known)}${table(known)}`,
  };
}

function latencies(known: readonly WithRequests[]): Html | null {
  const measured = known.flatMap(({ label, latencyMs }) => (latencyMs ? [{ label, distribution: latencyMs }] : []));
  if (measured.length === 0) return null;
  return histogramHtml({
    caption: `Time from request to answer, as the harness saw it${moreText(measured.length)}`,
    axis: 'milliseconds (logarithmic)',
    groups: measured.slice(0, mostPlots),
  });
}

/** How many tokens requests had: of each, or mean and maximum where nothing is known of single requests. */
function tokens(known: readonly WithRequests[]): Html {
  const others = known.filter(({ task }) => !task.summary?.tokens);
  return html`${tokenHistogram(known, 'prompt')}${tokenHistogram(known, 'completion')}${tokenSpans(others)}`;
}

function tokenHistogram(known: readonly WithRequests[], kind: keyof TokenDistributions): Html | null {
  const counted = known.flatMap(({ label, task }) => {
    const distribution = task.summary?.tokens?.[kind];
    return distribution ? [{ label, distribution }] : [];
  });
  if (counted.length === 0) return null;
  return histogramHtml({
    caption: `${kind === 'prompt' ? 'Prompt' : 'Completion'} tokens per request${moreText(counted.length)}`,
    axis: 'tokens (logarithmic)',
    groups: counted.slice(0, mostPlots),
  });
}

function tokenSpans(known: readonly WithRequests[]): Html | null {
  const rows = known
    .slice(0, mostPlots)
    .flatMap(({ label, requests }) => [
      ...spanOf(label, 'prompt', requests?.promptTokens),
      ...spanOf(label, 'completion', requests?.completionTokens),
    ]);
  if (rows.length === 0) return null;
  return spanHtml({
    caption: `Tokens per request: from the mean (point) to the longest (end of the line)${moreText(known.length)}`,
    axis: 'tokens',
    rows,
  });
}

const moreText = (count: number): string => (count > mostPlots ? `; the first ${mostPlots} of ${count} tasks` : '');

function spanOf(label: string, series: string, amount: Amount | null | undefined) {
  if (!amount) return [];
  const title = `${label}, ${series} tokens: mean ${amount.mean}, at most ${amount.max}`;
  return [{ label, series, value: amount.mean, max: amount.max, title }];
}

const table = (known: readonly WithRequests[]): Html =>
  tableHtml(known, [
    { title: '#', cell: ({ task }) => String(task.snapshot.index), isNumber: true },
    { title: 'Task', cell: ({ task }) => task.snapshot.name },
    { title: 'Requests', cell: ({ requests }) => (requests ? String(requests.count) : null), isNumber: true },
    { title: 'Failed', cell: ({ requests }) => failed(requests), isNumber: true },
    { title: 'Finish reasons', cell: ({ requests }) => countsText(requests?.finishReasons) },
    { title: 'Prompt tokens', cell: ({ requests }) => total(requests?.promptTokens), isNumber: true },
    { title: 'Completion tokens', cell: ({ requests }) => total(requests?.completionTokens), isNumber: true },
    { title: 'p50', cell: ({ latencyMs }) => ms(latencyMs?.p50), isNumber: true },
    { title: 'p90', cell: ({ latencyMs }) => ms(latencyMs?.p90), isNumber: true },
    { title: 'p99', cell: ({ latencyMs }) => ms(latencyMs?.p99), isNumber: true },
    { title: 'max', cell: ({ latencyMs, requests }) => ms(latencyMs?.max ?? requests?.latencyMs?.max), isNumber: true },
  ]);

const ms = (value: number | undefined): string | null => (value === undefined ? null : `${Math.round(value)} ms`);

const total = (amount: Amount | null | undefined): string | null =>
  amount?.total === null || amount === undefined || amount === null ? null : String(amount.total);

function failed(requests: RequestStats | undefined): string | null {
  const count = (requests?.count ?? 0) - (requests?.successful ?? 0);
  return count > 0 ? String(count) : null;
}

const countsText = (counts: Readonly<Record<string, number>> = {}): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name}: ${count}`)
    .join(', ');
