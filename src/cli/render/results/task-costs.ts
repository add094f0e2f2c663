import Table from 'cli-table3';
import { formatDuration } from '../../../support/duration';
import { harmlessLine, shortenedInside } from '../../../support/terminal-text';
import { bare } from '../overview';
import type { RunDocument, TaskDocument } from '../run-document';
import { percent } from './useful-share';

/** What a task took, for people. */
export interface CostCells {
  readonly time: string;
  readonly endpoint: string;
  /** `400`, or `388 of 400` if some failed. */
  readonly requests: string;
  readonly tokens: string;
  readonly latency: string;
  readonly useful: string;
  readonly cost: string;
}

const titles: readonly (readonly [keyof CostCells, string])[] = [
  ['time', 'Job'],
  ['endpoint', 'Endpoint'],
  ['requests', 'Requests'],
  ['tokens', 'Tokens in / out'],
  ['latency', 'Latency'],
  ['useful', 'Useful'],
  ['cost', 'Cost'],
];

/** Pure. */
export function costCells({ costs, requests, latencyMs }: TaskDocument, currency: string | undefined): CostCells {
  const seconds = (value: number | null): string => (value === null ? '' : formatDuration(value * 1000));
  const total = (amount: { readonly total: number | null } | null | undefined): string => String(amount?.total ?? '?');
  const hasTokens = requests?.promptTokens ?? requests?.completionTokens;
  const latency = latencyMs?.p50 ?? requests?.latencyMs?.mean;
  return {
    time: seconds(costs.jobSeconds),
    endpoint: seconds(costs.endpointSeconds),
    requests: requests === null ? '' : countText(requests.successful, requests.count),
    tokens: hasTokens ? `${total(requests?.promptTokens)} / ${total(requests?.completionTokens)}` : '',
    latency: latency === undefined ? '' : `${Math.round(latency)} ms`,
    useful: percent(costs.usefulShare),
    cost: costs.cost === null ? '' : `${costs.cost} ${harmlessLine(currency ?? '')}`.trim(),
  };
}

const countText = (good: number, all: number): string => (good === all ? String(all) : `${good} of ${all}`);

/** Returns the columns that have any content, and their cells by task. Pure. */
export function costColumns({ tasks, cost }: Pick<RunDocument, 'tasks' | 'cost'>): {
  readonly head: readonly string[];
  readonly rows: readonly { readonly task: TaskDocument; readonly cells: readonly string[] }[];
} {
  const cells = tasks.map((task) => ({ task, cells: costCells(task, cost?.currency) }));
  const shown = titles.filter(([key]) => cells.some((one) => one.cells[key] !== ''));
  return {
    head: shown.map(([, title]) => title),
    rows: cells.map((one) => ({ task: one.task, cells: shown.map(([key]) => one.cells[key]) })),
  };
}

/** Table of what each task took; `''` if nothing is known. Names are shortened only to fit `width`. Pure. */
export function costsTable(run: Pick<RunDocument, 'tasks' | 'cost'>, width = Infinity): string {
  const { head, rows } = costColumns(run);
  if (head.length === 0) return '';
  const table = new Table({
    head: ['#', 'Task', ...head],
    colAligns: ['right', 'left', ...head.map(() => 'right' as const)],
    ...bare,
  });
  const taken = head.reduce(
    (sum, title, at) => sum + 3 + longest([title, ...rows.map(({ cells }) => cells[at] ?? '')]),
    12,
  );
  const name = Math.max(12, width - taken);
  for (const { task, cells } of rows) table.push([String(task.index), shortenedInside(task.name, name), ...cells]);
  return table.toString();
}

const longest = (texts: readonly string[]): number => texts.reduce((most, { length }) => Math.max(most, length), 0);
