import { temporal } from '@temporalio/proto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const { History: HistoryMessage } = temporal.api.history.v1;
export type History = temporal.api.history.v1.IHistory;

export const historiesFolder = path.join(__dirname, 'histories');

/** A recorded history; `id` is its workflow's. */
export interface Recorded {
  readonly name: string;
  readonly id: string;
  readonly history: History;
}

/** All that are in the repository. */
export function recordedHistories(): Recorded[] {
  const files = readdirSync(historiesFolder).filter((file) => file.endsWith('.json'));
  return files.sort().map((file) => {
    const { id, history } = JSON.parse(readFileSync(path.join(historiesFolder, file), 'utf8')) as {
      id: string;
      history: object;
    };
    return { name: path.basename(file, '.json'), id, history: HistoryMessage.fromObject(history) };
  });
}

type Json = null | string | number | boolean | readonly Json[] | { readonly [key: string]: Json };

/**
 * The file's text: one event per line, so that a new recording shows what changed. Nothing of the machine stays in it:
 * `replacements` are applied to every text, also within payloads; stacks and worker identities go.
 */
export function historyText(
  id: string,
  history: History,
  replacements: readonly (readonly [RegExp | string, string])[],
): string {
  const clean = (text: string): string =>
    replacements.reduce((result, [from, to]) => result.replaceAll(from, to), text);
  const plain: unknown = HistoryMessage.toObject(HistoryMessage.fromObject(history), {
    longs: String,
    enums: String,
    bytes: String,
  });
  const { events = [] } = plain as { events?: readonly Json[] };
  const lines = events.map((event) => JSON.stringify(scrub(event, clean)));
  return `{"id":${JSON.stringify(clean(id))},"history":{"events":[\n${lines.join(',\n')}\n]}}\n`;
}

/** Fields that say where and by whom, and change nothing about what a workflow does. */
const dropped = new Set([
  'stackTrace',
  'workerVersion',
  'links',
  'binaryChecksum',
  'taskId',
  'requestId',
  'retryPolicy',
  'userMetadata',
]);

function scrub(node: Json, clean: (text: string) => string, key = ''): Json {
  if (node === null || typeof node === 'number' || typeof node === 'boolean') return node;
  if (typeof node === 'string') {
    if (key === 'identity') return 'worker';
    return key === 'data' ? encoded(clean(Buffer.from(node, 'base64').toString('utf8'))) : clean(node);
  }
  if (Array.isArray(node)) return (node as readonly Json[]).map((item) => scrub(item, clean, key));
  const entries = Object.entries(node as { readonly [key: string]: Json }).filter(
    ([name, value]) => !dropped.has(name) && value !== null,
  );
  return Object.fromEntries(entries.map(([name, value]) => [name, scrub(value, clean, name)]));
}

const encoded = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
