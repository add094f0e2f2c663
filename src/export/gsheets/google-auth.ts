import { createSign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { GsheetsSettings } from '../../contract/export';
import { expandTilde } from '../../support/home-folder';
import { ExportFault, type ExportContext } from '../exporter';
import { Service } from '../http';

/** Access to Google's APIs with a service account, or with a token that somebody else got. */

const scopes = ['https://www.googleapis.com/auth/spreadsheets', 'https://www.googleapis.com/auth/drive'];

const accountSchema = z.looseObject({
  client_email: z.string(),
  private_key: z.string(),
  token_uri: z.string().default('https://oauth2.googleapis.com/token'),
});

type Account = z.infer<typeof accountSchema>;

/** Returns an access token. Rejects with `ExportFault`, which never quotes the key. */
export async function accessToken(settings: GsheetsSettings, context: ExportContext): Promise<string> {
  const ready = context.variable('GSHEETS_ACCESS_TOKEN');
  if (ready !== undefined && settings.service_account_file === null) return ready;
  const account = await accountOf(settings, context);
  const service = new Service({ name: 'Google', headers: {}, signal: context.signal, fetch: context.fetch });
  const answer = await service.json(z.looseObject({ access_token: z.string() }), {
    method: 'POST',
    url: account.token_uri,
    form: { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: assertionOf(account, Date.now()) },
  });
  return answer.access_token;
}

async function accountOf(settings: GsheetsSettings, { variable }: ExportContext): Promise<Account> {
  const { service_account_file: file } = settings;
  const source = file === null ? 'the variable GSHEETS_SERVICE_ACCOUNT' : file;
  const text = file === null ? variable('GSHEETS_SERVICE_ACCOUNT') : await readKeyFile(file);
  if (text === undefined)
    throw new ExportFault(
      'Google Sheets: give the key of a service account: export.gsheets.service_account_file, the variable GSHEETS_SERVICE_ACCOUNT (its content), or an access token in GSHEETS_ACCESS_TOKEN',
      'settings',
    );
  const parsed = accountSchema.safeParse(jsonOf(text));
  if (!parsed.success)
    throw new ExportFault(`Google Sheets: ${source} does not hold the key of a service account (JSON)`, 'settings');
  return parsed.data;
}

async function readKeyFile(file: string): Promise<string> {
  return readFile(expandTilde(file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ExportFault(
      `Google Sheets: ${file} can't be read on this machine (${error.code ?? 'unknown'}): workers elsewhere need the variable GSHEETS_SERVICE_ACCOUNT`,
      'settings',
    );
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Returns the signed request for a token, valid for an hour (RFC 7523). */
function assertionOf({ client_email: issuer, private_key: key, token_uri: audience }: Account, nowMs: number): string {
  const issuedAt = Math.floor(nowMs / 1000);
  const claims = { iss: issuer, scope: scopes.join(' '), aud: audience, iat: issuedAt, exp: issuedAt + 3_600 };
  const encoded = [{ alg: 'RS256', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const signed = encoded.join('.');
  try {
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`;
  } catch {
    throw new ExportFault("Google Sheets: the service account's private key can't be used", 'settings');
  }
}
