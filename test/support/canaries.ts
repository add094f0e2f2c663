import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Client } from '@temporalio/client';

/** Finds canaries (secrets that must not appear anywhere) in texts, files and Temporal. */

/** Returns all forms in which a value may appear in a text. */
export function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret, 'utf8').toString('base64').replace(/=+$/, '');
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), base64];
}

/** Returns the canaries that a text contains. */
export const canariesIn = (text: string, canaries: readonly string[]): string[] =>
  canaries.filter((canary) => formsOf(canary).some((form) => text.includes(form)));

/** Returns as text everything that is visible of a workflow with access to Temporal, including decoded payloads. */
export async function everythingOf(client: Client, workflowId: string): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  const description = await handle.describe();
  const details = await handle.query('__temporal_workflow_metadata').catch(() => null);
  const decoded = [description.memo, details, await description.staticSummary(), await description.staticDetails()];
  return [await rawOf(client, workflowId), ...decoded.map(textOf)].join('\n');
}

/**
 * Returns as text what Temporal stores of a workflow: history, description, and the metadata that the Web UI queries.
 */
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

/** Converts to JSON, followed by the decoded base64 strings, as which protobuf messages print their bytes. */
function textOf(value: unknown): string {
  const text = JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? '';
  const encoded = [...text.matchAll(/"((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"/g)];
  return [text, ...encoded.map(([, part = '']) => Buffer.from(part, 'base64').toString('utf8'))].join('\n');
}

/** Returns every file below a folder, with its text and whether others have any permission. */
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

/** Realistic secrets, with characters that shells, JSON and URLs change. */
export const secrets = {
  HF_TOKEN: 'hf_CANARYhub0123456789abcdefghijkl',
  NGC_API_KEY: 'nvapi-CANARYngc"quoted\\and$(id)0123456789',
  ENDPOINT_KEY: 'CANARY:endpoint/key+with=signs&more-0123',
  MODE: 'staging',
};
/** What a container that prints its environment writes at its start. */
const inLines = Object.entries(secrets).map(([name, value]) => `${name}=${value}`);
const header = `header ${Buffer.from(secrets.ENDPOINT_KEY).toString('base64')}`;
export const printedEnv = [...inLines, JSON.stringify(secrets), header, 'mode staging, acc 0.123456\n'].join('\n');
