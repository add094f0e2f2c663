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

/** Everything that anybody with access to Temporal can see of a workflow, as text, payloads also decoded where they are encrypted. */
export async function everythingOf(client: Client, workflowId: string): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  const description = await handle.describe();
  const details = await handle.query('__temporal_workflow_metadata').catch(() => null);
  const decoded = [description.memo, details, await description.staticSummary(), await description.staticDetails()];
  return [await rawOf(client, workflowId), ...decoded.map(textOf)].join('\n');
}

/** What Temporal itself has of a workflow: history, description, and the answer to the Web UI's question. */
export async function rawOf(client: Client, workflowId: string): Promise<string> {
  const { namespace } = client.options;
  const execution = { workflowId };
  const { workflowService } = client;
  const query = { queryType: '__temporal_workflow_metadata' };
  const parts = [
    await client.workflow.getHandle(workflowId).fetchHistory(),
    await workflowService.describeWorkflowExecution({ namespace, execution }),
    await workflowService.queryWorkflow({ namespace, execution, query }).catch(() => null),
  ];
  return parts.map(textOf).join('\n');
}

/** Protobuf messages print their bytes in base64, where nothing can be found: these follow as text. */
function textOf(value: unknown): string {
  const text = JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? '';
  const encoded = [...text.matchAll(/"((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"/g)];
  return [text, ...encoded.map(([, part = '']) => Buffer.from(part, 'base64').toString('utf8'))].join('\n');
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

/** Values as users have them: with what shells, JSON and URLs would change. */
export const secrets = {
  HF_TOKEN: 'hf_CANARYhub0123456789abcdefghijkl',
  NGC_API_KEY: 'nvapi-CANARYngc"quoted\\and$(id)0123456789',
  ENDPOINT_KEY: 'CANARY:endpoint/key+with=signs&more-0123',
  MODE: 'staging',
};
/** What a careless container prints at its start. */
const inLines = Object.entries(secrets).map(([name, value]) => `${name}=${value}`);
const header = `header ${Buffer.from(secrets.ENDPOINT_KEY).toString('base64')}`;
export const printedEnv = [...inLines, JSON.stringify(secrets), header, 'mode staging, acc 0.123456\n'].join('\n');
