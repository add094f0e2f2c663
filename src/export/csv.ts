import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomically } from '../support/atomic-file';
import type { FileSettings } from '../contract/export';
import { withLock } from '../support/lock';
import { ExportFault, type Exporter } from './exporter';
import { changeOf, firstColumns, keyColumn, rowsOf, type Cell, type Row, type StoredTable } from './rows';

/** One CSV file (RFC 4180), which may hold many runs: a row per task, a column per score. A row that is there is updated. */
export const exportCsv: Exporter<FileSettings> = async (run, settings, { outputDir }) => {
  const file = path.join(outputDir, settings.output_filename ?? 'processed_results.csv');
  await withLock({ file: `${file}.lock` }, async () => {
    const before = await readText(file);
    const mark = before.startsWith(byteOrderMark) ? byteOrderMark : '';
    const text = csvWith(ownTable(before, file), rowsOf(run, settings));
    await writeAtomically(file, (draft) => draft.writeFile(`${mark}${text}`));
  });
  return { tasks: run.tasks.length, skipped: 0, where: file, notes: [] };
};

/** Spreadsheet programs begin files with it, and know them by it. */
const byteOrderMark = '\uFEFF';

const readText = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });

function ownTable(text: string, file: string): StoredTable {
  const table = tableOf(text);
  if (text !== '' && !table.columns.includes(keyColumn))
    throw new ExportFault(
      `${file} holds something else than exported results (it has no column "${keyColumn}"): move it away`,
      'settings',
    );
  return table;
}

/** Returns the content of a file with these rows in it. Pure. */
export function csvWith(before: StoredTable, wanted: readonly Row[]): string {
  const { columns, changed, added } = changeOf(before, wanted);
  const written = (cell: Cell, at: number): string => harmlessCell(cell, columns[at] ?? '');
  const updated = before.rows.map((row, position) => {
    const cells = changed.get(position);
    return columns.map((_, at) => {
      const cell = cells?.[at] ?? null;
      return cell === null ? (row[at] ?? '') : written(cell, at);
    });
  });
  const lines = [columns, ...updated, ...added.map((cells) => cells.map(written))];
  return lines.map((cells) => `${cells.map(quotedIfNeeded).join(',')}\r\n`).join('');
}

/** A spreadsheet would take such texts for formulas. */
function harmlessCell(cell: Cell, column: string): string {
  const isText = typeof cell === 'string' && firstColumns.some((name) => name === column);
  return isText && /^[=+@\t\r-]/.test(cell) ? `'${cell}` : String(cell);
}

const quotedIfNeeded = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Reads a CSV file whose first line has the names of the columns. Pure. */
export function tableOf(text: string): StoredTable {
  const [columns = [], ...rows] = recordsOf(text.startsWith(byteOrderMark) ? text.slice(1) : text);
  return { columns, rows };
}

function recordsOf(text: string): string[][] {
  const records: string[][] = [];
  let cells: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n|\n|\r|$)/gy;
  while (cell.lastIndex < text.length) {
    const [whole = '', quoted, plain = '', end = ''] = cell.exec(text) ?? [];
    if (whole === '') break;
    cells.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === ',') {
      if (cell.lastIndex === text.length) cells.push('');
      else continue;
    }
    records.push(cells);
    cells = [];
  }
  return records;
}
