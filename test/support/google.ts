import { createVerify, randomBytes, type KeyObject } from 'node:crypto';
import { Hono } from 'hono';
import { serve } from '@hono/node-server';
import type { AddressInfo } from 'node:net';
import type { Fetch } from '../../src/export/http';

/** A local stand-in for Google's token endpoint, Sheets API v4 and Drive API v3, as their documentation describes them. */

export interface StoredSheet {
  readonly id: string;
  readonly title: string;
  rows: (string | number)[][];
}

export interface GoogleStandIn {
  /** Sends requests for Google to the stand-in. */
  readonly fetch: Fetch;
  readonly sheets: StoredSheet[];
  /** A valid access token. */
  readonly token: string;
  /** Answers everything but the token endpoint with this status from now on. */
  refuse(status: 503): void;
  close(): Promise<void>;
}

/** "Null values will be skipped"; cells beside those that are given stay, too. */
function writeCells({ rows }: StoredSheet, at: number, cells: readonly (string | number | null)[]): void {
  while (rows.length <= at) rows.push([]);
  const row = rows[at] ?? [];
  while (row.length < cells.length) row.push('');
  for (const [column, cell] of cells.entries()) if (cell !== null) row[column] = cell;
}

/** `publicKey`: of the service account. */
export async function startGoogle(publicKey: KeyObject): Promise<GoogleStandIn> {
  const sheets: StoredSheet[] = [];
  const token = randomBytes(16).toString('hex');
  let refusal: 503 | undefined;
  const app = new Hono();
  app.post('/token', async (context) => {
    const { grant_type: grant, assertion } = await context.req.parseBody();
    const [head = '', claims = '', signature = ''] = (typeof assertion === 'string' ? assertion : '').split('.');
    const isSigned = createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(publicKey, signature, 'base64url');
    const { aud, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { aud: string; exp: number };
    const isValid = aud === 'https://oauth2.googleapis.com/token' && exp * 1000 > Date.now();
    if (!isSigned || !isValid || grant !== 'urn:ietf:params:oauth:grant-type:jwt-bearer')
      return context.json({ error: 'invalid_grant', error_description: 'Invalid JWT Signature.' }, 401);
    return context.json({ access_token: token, expires_in: 3599, token_type: 'Bearer' });
  });
  app.use('/*', async (context, next) => {
    if (refusal !== undefined) return context.json({ error: { status: 'UNAVAILABLE' } }, refusal);
    if (context.req.header('authorization') !== `Bearer ${token}`) return context.json({ error: { code: 401 } }, 401);
    return next();
  });
  const described = ({ id }: StoredSheet) => ({
    spreadsheetId: id,
    spreadsheetUrl: `https://docs.google.com/spreadsheets/d/${id}/edit`,
    sheets: [{ properties: { sheetId: 0, title: 'Sheet1' } }],
  });
  const found = (id: string) => sheets.find((sheet) => sheet.id === id);
  app.get('/drive/v3/files', (context) => {
    const name = /^name = '((?:[^'\\]|\\.)*)' and mimeType/
      .exec(context.req.query('q') ?? '')?.[1]
      ?.replace(/\\(.)/g, '$1');
    return context.json({ files: sheets.filter(({ title }) => title === name).map(({ id }) => ({ id })) });
  });
  app.post('/v4/spreadsheets', async (context) => {
    const { properties } = await context.req.json<{ properties: { title: string } }>();
    const sheet: StoredSheet = { id: randomBytes(8).toString('hex'), title: properties.title, rows: [] };
    sheets.push(sheet);
    return context.json(described(sheet));
  });
  app.get('/v4/spreadsheets/:id', (context) => {
    const sheet = found(context.req.param('id'));
    return sheet ? context.json(described(sheet)) : context.json({ error: { code: 404 } }, 404);
  });
  app.get('/v4/spreadsheets/:id/values/:range', (context) => {
    const sheet = found(context.req.param('id'));
    if (!sheet || context.req.param('range') !== "'Sheet1'") return context.json({ error: { code: 400 } }, 400);
    return context.json({
      range: 'Sheet1',
      majorDimension: 'ROWS',
      ...(sheet.rows.length > 0 ? { values: sheet.rows } : {}),
    });
  });
  app.post('/v4/spreadsheets/:id/:call{values:batchUpdate}', async (context) => {
    const sheet = found(context.req.param('id'));
    const { data } = await context.req.json<{ data: { range: string; values: (string | number | null)[][] }[] }>();
    for (const { range, values } of data) {
      const at = Number(/^'Sheet1'!A(\d+)$/.exec(range)?.[1]) - 1;
      for (const [below, cells] of values.entries()) if (sheet) writeCells(sheet, at + below, cells);
    }
    return context.json({ spreadsheetId: sheet?.id });
  });
  app.post('/v4/spreadsheets/:id/values/:call', async (context) => {
    const sheet = found(context.req.param('id'));
    if (!context.req.param('call').endsWith(':append')) return context.json({ error: { code: 400 } }, 400);
    const { values } = await context.req.json<{ values: StoredSheet['rows'] }>();
    sheet?.rows.push(...values);
    return context.json({ spreadsheetId: sheet?.id });
  });
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
  await new Promise<void>((resolve) => server.once('listening', () => resolve()));
  const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    sheets,
    token,
    refuse: (status) => void (refusal = status),
    fetch: (url, { body, ...init }) => {
      const { hostname, pathname, search } = new URL(url);
      if (!hostname.endsWith('.googleapis.com')) throw new Error(`not a request for Google: ${url}`);
      return fetch(`${root}${pathname}${search}`, { ...init, ...(typeof body === 'string' ? { body } : {}) });
    },
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}
