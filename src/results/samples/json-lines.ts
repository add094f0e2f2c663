import { createReadStream } from 'node:fs';
import { isPlainObject } from '../../support/plain-object';
import { linesOf } from '../../support/lines';
import { parsePythonJson } from '../requests/python-json';

/** Per-sample files, as harnesses write them: one JSON object a line. Read as a stream, since they can have gigabytes. */

export type JsonLine =
  | { readonly kind: 'object'; readonly line: number; readonly content: Readonly<Record<string, unknown>> }
  /** A line that is cut, damaged or no object; `reason` says so. */
  | { readonly kind: 'damaged'; readonly line: number; readonly reason: string };

/** Characters. A longer line is damaged: memory stays bounded. */
const longestLine = 64 * 1024 * 1024;
/** Bytes read at once. */
const pieceBytes = 1024 * 1024;

/** Reads a file line by line; lines are numbered from 1, blank ones left out. Rejects like `createReadStream`. */
export async function* jsonLines(file: string): AsyncGenerator<JsonLine, void, undefined> {
  const source = createReadStream(file, { highWaterMark: pieceBytes });
  const options = { longest: longestLine, excess: 'dropped', unfinished: 'kept' } as const;
  let line = 0;
  for await (const text of linesOf(source, options)) {
    line += 1;
    if (text.trim() !== '') yield parsedLine(text, line);
  }
}

function parsedLine(text: string, line: number): JsonLine {
  if (text.length >= longestLine) return { kind: 'damaged', line, reason: `longer than ${longestLine} characters` };
  try {
    const content = parsePythonJson(text);
    return isPlainObject(content)
      ? { kind: 'object', line, content }
      : { kind: 'damaged', line, reason: 'not a JSON object' };
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: 'damaged', line, reason: 'not JSON, or cut' };
    throw error;
  }
}
