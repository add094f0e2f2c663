import type { CommonExportSettings } from '../contract/export';
import { namedScores, type ExportedRun, type ExportedTask } from './exported-run';

/** Results as a table with one row per task and a column per score, in the form of NeMo Evaluator Launcher. */

export type Row = Readonly<Record<string, string | number>>;

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
  run.tasks.map((task) => ({ ...identityOf(run, task), ...shortNames(task, namedScores(task, settings)) }));

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
const shortNames = ({ benchmark }: ExportedTask, scores: Readonly<Record<string, number>>): Row =>
  Object.fromEntries(
    Object.entries(scores).map(([name, value]) => [
      name.startsWith(`${benchmark}_`) ? name.slice(benchmark.length + 1) : name,
      value,
    ]),
  );

/** A table as it is stored: texts, the first row has the names of the columns. */
export interface StoredTable {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, string>>[];
}

/** What must be written so that a table has these rows. */
export interface TableChange {
  /** New ones come last, so that rows that are there keep theirs. */
  readonly columns: readonly string[];
  /** Position from 0 → cells by column. */
  readonly changed: ReadonlyMap<number, Row>;
  readonly added: readonly Row[];
}

/** Returns how rows get into a table: one that is there is replaced, others are added. Pure. */
export function changeOf({ columns, rows }: StoredTable, wanted: readonly Row[]): TableChange {
  const positions = new Map(rows.map((row, at) => [row[keyColumn] ?? '', at]));
  const changed = new Map<number, Row>();
  const added: Row[] = [];
  for (const row of wanted) {
    const at = positions.get(String(row[keyColumn]));
    if (at === undefined) added.push(row);
    else changed.set(at, row);
  }
  const scores = [...new Set(wanted.flatMap((row) => Object.keys(row)))].filter((name) => !isFirst(name)).sort();
  return {
    columns: [...new Set([...(columns.length === 0 ? firstColumns : columns), ...firstColumns, ...scores])],
    changed,
    added,
  };
}

const isFirst = (name: string): boolean => firstColumns.some((column) => column === name);
