import Table from 'cli-table3';
import type { RunSnapshot, TaskSnapshot } from '../contract/state';
import { elapsed } from './elapsed';
import { plainStyle, type Style } from './style';
import { shortened } from './terminal-text';

export interface RunTable {
  readonly snapshot: RunSnapshot;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Characters that fit in a line. */
  readonly width: number;
  /** Rows of tasks that fit on the screen; those that changed last are worth less than those that still run. */
  readonly maxRows?: number;
  readonly style?: Style;
}

const fixedColumns = { index: 4, phase: 18, elapsed: 13 } as const;

/** The table of tasks that a terminal shows while a run goes on. Pure. */
export function runTable({ snapshot, now, width, maxRows = Infinity, style = plainStyle }: RunTable): string {
  const flexible = Math.max(30, width - fixedColumns.index - fixedColumns.phase - fixedColumns.elapsed - 7);
  const name = Math.min(longest(snapshot.tasks) + 2, Math.floor(flexible * 0.3));
  const endpoint = Math.min(38, Math.floor(flexible * 0.35));
  const message = flexible - name - endpoint;
  const table = new Table({
    head: ['#', 'Task', 'Phase', 'Endpoint', 'Elapsed', 'Last message'],
    colWidths: [fixedColumns.index, name, fixedColumns.phase, endpoint, fixedColumns.elapsed, message],
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  const shown = mostTelling(snapshot.tasks, maxRows);
  for (const task of shown) {
    table.push([
      String(task.index),
      shortened(task.name, name - 2),
      phaseCell(task, style),
      shortened(task.endpoint ?? 'existing', endpoint - 2),
      elapsed(task, now),
      shortened(task.error?.message ?? task.message ?? '', message - 2),
    ]);
  }
  const hidden = snapshot.tasks.length - shown.length;
  return `${table.toString()}${hidden > 0 ? `\n  and ${hidden} more tasks` : ''}`;
}

function phaseCell(task: TaskSnapshot, style: Style): string {
  const finished = task.phase === 'done' || task.phase === 'pending';
  const text = task.outcome !== null && finished ? task.outcome : task.phase;
  switch (task.outcome) {
    case 'succeeded':
      return style.good(text);
    case 'failed':
      return style.bad(text);
    case 'cancelled':
      return style.dim(text);
    case null:
      return text;
  }
}

/** Where not all fit: what runs first, then what failed, then the rest; in the order of the tasks. */
function mostTelling(tasks: readonly TaskSnapshot[], count: number): readonly TaskSnapshot[] {
  if (tasks.length <= count) return tasks;
  const rank = ({ phase, outcome }: TaskSnapshot): number =>
    phase !== 'pending' && phase !== 'done' ? 0 : outcome === 'failed' ? 1 : outcome === null ? 2 : 3;
  const chosen = [...tasks].sort((a, b) => rank(a) - rank(b) || a.index - b.index).slice(0, count);
  return chosen.sort((a, b) => a.index - b.index);
}

const longest = (tasks: readonly TaskSnapshot[]): number => Math.max(6, ...tasks.map(({ name }) => name.length));
