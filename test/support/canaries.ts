import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from '@temporalio/client';

/** Where a word that nobody may see can be found all the same. */

/** Every form in which a value may stand in a text. */
export function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret, 'utf8').toString('base64').replace(/=+$/, '');
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), base64];
}

/** The canaries that a text holds. */
export const canariesIn = (text: string, canaries: readonly string[]): string[] =>
  canaries.filter((canary) => formsOf(canary).some((form) => text.includes(form)));

/** A workflow's whole history and what the Web UI shows beside it, as text; payloads decoded. */
export async function everythingOf(client: Client, workflowId: string): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  const shown = (value: unknown): unknown =>
    value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value;
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : shown(inner)));
  const description = await handle.describe();
  const details = await handle.query('__temporal_workflow_metadata').catch(() => null);
  const summary = [await description.staticSummary(), await description.staticDetails()];
  return [
    text(await handle.fetchHistory()),
    text(description.raw),
    text(description.memo),
    text(details),
    text(summary),
  ].join('\n');
}

/** Every file below a folder, with its text and the rights of others on it. */
export async function filesBelow(folder: string): Promise<{ file: string; text: string; forOthers: boolean }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (file) => ({
      file: path.relative(folder, file),
      text: (await readFile(file)).toString('latin1'),
      forOthers: ((await stat(file)).mode & 0o077) !== 0,
    })),
  );
}
