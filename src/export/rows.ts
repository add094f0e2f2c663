import type { CommonExportSettings } from '../contract/export';
import { namedScores, scoreNames, type ExportedRun, type ExportedTask } from './exported-run';

/** Results as a table with one row per task and a column per score, in the form of NeMo Evaluator Launcher. */

export type Cell = string | number;

/** By column. An empty text is written, too; columns that are not named stay as they are. */
export type Row = Readonly<Record<string, Cell>>;

/** The column by which a row is found again. */
export const keyColumn = 'Job ID';

/** Columns that come first. */
export const firstColumns = [
  'Model Name',
  'Harness',
  'Task Name',
  'Executor',
  'Container',
  'Invocation ID',
  keyColumn,
  'Results Dir',
] as const;

/** Returns the rows of a run's tasks. Pure. */
export const rowsOf = (run: ExportedRun, settings: CommonExportSettings): readonly Row[] =>
  run.tasks.map((task) => {
    const none = Object.fromEntries(scoreNames(task, settings).map((name) => [name, '']));
    return { ...identityOf(run, task), ...shortNames(task, { ...none, ...namedScores(task, settings) }) };
  });

function identityOf(run: ExportedRun, task: ExportedTask): Row {
  return {
    'Model Name': task.model,
    Harness: task.harness ?? '',
    'Task Name': task.benchmark,
    Executor: run.platform,
    Container: task.image ?? '',
    'Invocation ID': run.invocation,
    [keyColumn]: task.key,
    'Results Dir': task.folder ?? '',
  };
}

/** Names of scores without that of the task, so that tasks share columns. */
const shortNames = ({ benchmark }: ExportedTask, scores: Row): Row =>
  Object.fromEntries(
    Object.entries(scores).map(([name, value]) => [
      name.startsWith(`${benchmark}_`) ? name.slice(benchmark.length + 1) : name,
      value,
    ]),
  );

/** A table as it is stored. People may have added columns, with the same name as another one or with none. */
export interface StoredTable {
  /** The first row. */
  readonly columns: readonly string[];
  /** The others; they may be shorter or longer than the first. */
  readonly rows: readonly (readonly string[])[];
}

/** What must be written so that a table has these rows. */
export interface TableChange {
  /** Those that are there in their places, then new ones. */
  readonly columns: readonly string[];
  /** Position from 0 → cells in the order of the columns; `null`: what is there stays. */
  readonly changed: ReadonlyMap<number, readonly (Cell | null)[]>;
  readonly added: readonly (readonly Cell[])[];
}

/** Returns how rows get into a table: cells of one that is there are replaced, other rows are added. Pure. */
export function changeOf(before: StoredTable, wanted: readonly Row[]): TableChange {
  const columns = columnsOf(before, wanted);
  const place = new Map<string, number>();
  for (const [at, name] of columns.entries()) if (name !== '' && !place.has(name)) place.set(name, at);
  const cellsOf = (row: Row): (Cell | null)[] =>
    columns.map((name, at) => (place.get(name) === at ? (row[name] ?? null) : null));
  const keyAt = place.get(keyColumn) ?? 0;
  const positions = new Map(before.rows.map((row, at) => [row[keyAt] ?? '', at]));
  const changed = new Map<number, readonly (Cell | null)[]>();
  const added: Cell[][] = [];
  for (const row of wanted) {
    const at = positions.get(String(row[keyColumn]));
    if (at === undefined) added.push(cellsOf(row).map((cell) => cell ?? ''));
    else changed.set(at, cellsOf(row));
  }
  return { columns, changed, added };
}

function columnsOf({ columns: stored, rows }: StoredTable, wanted: readonly Row[]): readonly string[] {
  // New columns must not get onto cells to the right of the first row.
  const width = rows.reduce((most, row) => Math.max(most, row.findLastIndex((cell) => cell !== '') + 1), stored.length);
  const before = [...stored, ...Array.from({ length: width - stored.length }, () => '')];
  const scores = wanted.flatMap((row) => Object.keys(row).filter((name) => row[name] !== '' && !isFirst(name))).sort();
  return [...before, ...new Set([...firstColumns, ...scores].filter((name) => !before.includes(name)))];
}

const isFirst = (name: string): boolean => firstColumns.some((column) => column === name);
