import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomically } from '../support/atomic-file';
import type { FileSettings } from '../contract/export';
import { withLock } from '../support/lock';
import { ExportFault, type Exporter } from './exporter';
import { changeOf, firstColumns, keyColumn, rowsOf, type Row, type StoredTable } from './rows';

/** One CSV file (RFC 4180), which may hold many runs: a row per task, a column per score. A row that is there is replaced. */
export const exportCsv: Exporter<FileSettings> = async (run, settings, { outputDir }) => {
  const file = path.join(outputDir, settings.output_filename ?? 'processed_results.csv');
  await withLock({ file: `${file}.lock` }, async () => {
    const text = csvWith(await readTable(file), rowsOf(run, settings));
    await writeAtomically(file, (draft) => draft.writeFile(text));
  });
  return { tasks: run.tasks.length, skipped: 0, where: file, notes: [] };
};

async function readTable(file: string): Promise<StoredTable> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
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
  const rows = [...before.rows.map((row, at) => changed.get(at) ?? row), ...added];
  const lines = rows.map((row) => columns.map((column) => cellText(row[column] ?? '', column)));
  return [columns.map((column) => quotedIfNeeded(column)), ...lines].map((cells) => `${cells.join(',')}\r\n`).join('');
}

/** A spreadsheet would take such texts for formulas. */
function cellText(cell: string | number, column: string): string {
  const isText = typeof cell === 'string' && firstColumns.some((name) => name === column);
  return quotedIfNeeded(isText && /^[=+@\t\r-]/.test(cell) ? `'${cell}` : String(cell));
}

const quotedIfNeeded = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Reads a CSV file whose first line has the names of the columns. Pure. */
export function tableOf(text: string): StoredTable {
  const [columns = [], ...lines] = recordsOf(text);
  return {
    columns,
    rows: lines.map((cells) => Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? '']))),
  };
}

function recordsOf(text: string): string[][] {
  const records: string[][] = [];
  let cells: string[] = [];
  const cell = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r\n|\n|\r|$)/gy;
  while (cell.lastIndex < text.length) {
    const [whole = '', content = '', end = ''] = cell.exec(text) ?? [];
    if (whole === '') break;
    cells.push(content.startsWith('"') ? content.slice(1, -1).replaceAll('""', '"') : content);
    if (end === ',') {
      if (cell.lastIndex === text.length) cells.push('');
      else continue;
    }
    records.push(cells);
    cells = [];
  }
  return records;
}
