import type { GsheetsSettings } from '../../contract/export';
import { ExportFault, type Exporter } from '../exporter';
import { changeOf, keyColumn, rowsOf, type Cell, type Row } from '../rows';
import { SheetsClient, type Sheet } from './client';
import { accessToken } from './google-auth';

/** A row per task in the first sheet of a spreadsheet, with a column per score. A row that is there is updated. */
export const exportGsheets: Exporter<GsheetsSettings> = async (run, settings, context) => {
  const headers = { authorization: `Bearer ${await accessToken(settings, context)}` };
  const { signal, fetch } = context;
  const client = new SheetsClient({ name: 'Google Sheets', headers, signal, fetch });
  const sheet = await sheetFor(client, settings);
  await writeRows(client, sheet, rowsOf(run, settings));
  return { tasks: run.tasks.length, skipped: 0, where: sheet.url, notes: [] };
};

async function sheetFor(client: SheetsClient, { spreadsheet_id, spreadsheet_name }: GsheetsSettings): Promise<Sheet> {
  const id = spreadsheet_id ?? (await client.find(spreadsheet_name));
  return id === undefined ? client.create(spreadsheet_name) : client.open(id);
}

async function writeRows(client: SheetsClient, sheet: Sheet, wanted: readonly Row[]): Promise<void> {
  const [header = [], ...lines] = await client.rows(sheet);
  if (lines.length > 0 && !header.includes(keyColumn))
    throw new ExportFault(
      `Google Sheets: ${sheet.url} holds something else than exported results (its first row has no "${keyColumn}")`,
      'settings',
    );
  // Another header without rows may be anything: the launcher ignores it, too.
  const columns = header.includes(keyColumn) ? header : [];
  const change = changeOf({ columns, rows: lines }, wanted);
  const written = new Map<number, readonly (Cell | null)[]>();
  const named = change.columns.map((name, at) => (name === (header[at] ?? '') ? null : name));
  if (named.some((name) => name !== null)) written.set(1, named);
  // Only cells that are ours: those of others may hold formulas, of which the values have been read.
  for (const [at, cells] of change.changed) written.set(at + 2, cells);
  await client.write(sheet, written);
  await client.append(sheet, change.added);
}
