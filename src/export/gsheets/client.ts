import { z } from 'zod';
import { Service, type ServiceOptions } from '../http';
import type { Cell } from '../rows';

/** Google's Sheets API (v4), and of its Drive API (v3) what finds a spreadsheet by its name. */

const sheets = 'https://sheets.googleapis.com/v4/spreadsheets';
const drive = 'https://www.googleapis.com/drive/v3/files';

const spreadsheet = z.looseObject({
  spreadsheetId: z.string(),
  spreadsheetUrl: z.string().default(''),
  sheets: z.array(z.looseObject({ properties: z.looseObject({ title: z.string() }) })),
});

export interface Sheet {
  readonly id: string;
  readonly url: string;
  /** Of its first sheet. */
  readonly title: string;
}

export class SheetsClient {
  private readonly service: Service;

  constructor(options: ServiceOptions) {
    this.service = new Service(options);
  }

  async open(id: string): Promise<Sheet> {
    const fields = 'spreadsheetId,spreadsheetUrl,sheets.properties.title';
    return sheetOf(
      await this.service.json(spreadsheet, { method: 'GET', url: `${sheets}/${part(id)}?fields=${fields}` }),
    );
  }

  /** Returns the id of the spreadsheet of this name that the account sees; the oldest of several. */
  async find(name: string): Promise<string | undefined> {
    const literal = name.replace(/[\\']/g, (character) => `\\${character}`);
    const query = new URLSearchParams({
      q: `name = '${literal}' and mimeType = 'application/vnd.google-apps.spreadsheet' and trashed = false`,
      orderBy: 'createdTime',
      fields: 'files(id)',
      supportsAllDrives: 'true',
      includeItemsFromAllDrives: 'true',
    });
    const schema = z.looseObject({ files: z.array(z.looseObject({ id: z.string() })).default([]) });
    const { files } = await this.service.json(schema, { method: 'GET', url: `${drive}?${query.toString()}` });
    return files[0]?.id;
  }

  async create(name: string): Promise<Sheet> {
    const json = { properties: { title: name } };
    return sheetOf(await this.service.json(spreadsheet, { method: 'POST', url: sheets, json }));
  }

  /** Returns all rows of the first sheet, as texts. */
  async rows({ id, title }: Sheet): Promise<string[][]> {
    const schema = z.looseObject({ values: z.array(z.array(z.coerce.string())).default([]) });
    const url = `${sheets}/${part(id)}/values/${part(quotedTitle(title))}?valueRenderOption=UNFORMATTED_VALUE`;
    return (await this.service.json(schema, { method: 'GET', url })).values;
  }

  /** Writes rows at their places, numbered from 1; a cell that is `null` stays as it is. */
  async write({ id, title }: Sheet, rows: ReadonlyMap<number, readonly (Cell | null)[]>): Promise<void> {
    if (rows.size === 0) return;
    const data = [...rows].map(([at, values]) => ({ range: `${quotedTitle(title)}!A${at}`, values: [values] }));
    const json = { valueInputOption: 'RAW', data };
    await this.service.json(z.looseObject({}), {
      method: 'POST',
      url: `${sheets}/${part(id)}/values:batchUpdate`,
      json,
    });
  }

  /** Adds rows below the others: Google finds the place, so that exports at the same time don't meet. */
  async append({ id, title }: Sheet, values: readonly (readonly Cell[])[]): Promise<void> {
    if (values.length === 0) return;
    const range = part(`${quotedTitle(title)}!A1`);
    const url = `${sheets}/${part(id)}/values/${range}:append?valueInputOption=RAW&insertDataOption=INSERT_ROWS`;
    await this.service.json(z.looseObject({}), { method: 'POST', url, json: { values } });
  }
}

const part = encodeURIComponent;

const quotedTitle = (title: string): string => `'${title.replaceAll("'", "''")}'`;

const sheetOf = ({ spreadsheetId: id, spreadsheetUrl, sheets: all }: z.infer<typeof spreadsheet>): Sheet => ({
  id,
  url: spreadsheetUrl === '' ? `https://docs.google.com/spreadsheets/d/${id}` : spreadsheetUrl,
  title: all[0]?.properties.title ?? 'Sheet1',
});
