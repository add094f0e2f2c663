import type { LogMark } from './log-marks';

/** Log lines in the shape of `GET /logs`, with times that are the same at every look. */

export interface LogQuery {
  /** Nanoseconds since the epoch: `from` is in, `until` is out. */
  readonly from: bigint;
  readonly until: bigint;
  readonly limit: number;
  readonly backward: boolean;
  /** Only lines that hold this text; empty: all. */
  readonly text: string;
}

export interface LogLine {
  /** Nanoseconds since the epoch. */
  readonly at: bigint;
  readonly text: string;
}

export interface TimedLog {
  readonly bytes: AsyncIterable<Uint8Array>;
  /** What lies beyond the last mark is left for the next look. */
  readonly marks: readonly LogMark[];
  /** Nothing will be written any more: a last line without its end is one. */
  readonly isOver: boolean;
}

/** A line longer than this is cut into several, so that memory stays bounded. */
const longestLine = 256 * 1024;
const lineGapNs = 1_000n;

/**
 * Runs through a log once. A line's time is that of the first mark at which its beginning was there, and at least a
 * microsecond after the line before: in order, distinct (clients split a time range until each page is below the limit),
 * and the same at every look.
 */
export async function queryLog(log: TimedLog, query: LogQuery): Promise<LogLine[]> {
  const found: LogLine[] = [];
  for await (const line of timedLines(log)) {
    if (line.at >= query.until) break;
    if (line.at >= query.from && line.text.includes(query.text)) found.push(line);
    if (found.length < query.limit) continue;
    if (!query.backward) break;
    if (found.length >= 2 * query.limit) found.splice(0, found.length - query.limit);
  }
  return query.backward ? found.slice(-query.limit).reverse() : found.slice(0, query.limit);
}

async function* timedLines({ bytes, marks, isOver }: TimedLog): AsyncGenerator<LogLine> {
  let at = 0n;
  let mark = 0;
  for await (const { start, text } of linesOf(bytes, { unfinished: isOver })) {
    while (mark < marks.length && (marks[mark]?.size ?? 0) <= start) mark += 1;
    const seen = marks[mark];
    if (seen === undefined) return;
    const noted = BigInt(Math.round(seen.at)) * 1_000_000n;
    at = noted > at ? noted : at + lineGapNs;
    yield { at, text };
  }
}

/** Lines with the byte at which each begins. */
async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  { unfinished }: { readonly unfinished: boolean },
): AsyncGenerator<{ start: number; text: string }> {
  let start = 0;
  let open = Buffer.alloc(0);
  for await (const bytes of source) {
    let rest = open.byteLength === 0 ? Buffer.from(bytes) : Buffer.concat([open, bytes]);
    for (let end = endOfLine(rest); end !== undefined; end = endOfLine(rest)) {
      yield { start, text: rest.subarray(0, end.text).toString('utf8').replace(/\r$/, '') };
      start += end.next;
      rest = rest.subarray(end.next);
    }
    open = Buffer.from(rest);
  }
  if (unfinished && open.byteLength > 0) yield { start, text: open.toString('utf8') };
}

/** Where the first line of `bytes` ends, and where the next begins; `undefined`: not in here. */
function endOfLine(bytes: Buffer): { text: number; next: number } | undefined {
  const newline = bytes.indexOf(0x0a);
  if (newline !== -1 && newline <= longestLine) return { text: newline, next: newline + 1 };
  if (bytes.byteLength <= longestLine) return undefined;
  let cut = longestLine;
  while (cut > longestLine - 4 && ((bytes[cut] ?? 0) & 0xc0) === 0x80) cut -= 1; // not within a character
  return { text: cut, next: cut };
}
