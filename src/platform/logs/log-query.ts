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

/** A line longer than this is cut into several, so that memory stays bounded. */
const longestLine = 256 * 1024;
const lineGapNs = 1_000n;

/**
 * Runs through a log once. A runtime keeps no time per line, so lines get one microsecond each from `bornAtMs` on: in
 * order, distinct (clients split a time range until each page is below the limit), and the same at every look.
 */
export async function queryLog(
  source: AsyncIterable<Uint8Array>,
  bornAtMs: number,
  query: LogQuery,
): Promise<LogLine[]> {
  const found: LogLine[] = [];
  let at = BigInt(bornAtMs) * 1_000_000n;
  for await (const text of linesOf(source)) {
    if (at >= query.until) break;
    if (at >= query.from && text.includes(query.text)) found.push({ at, text });
    at += lineGapNs;
    if (found.length < query.limit) continue;
    if (!query.backward) break;
    if (found.length >= 2 * query.limit) found.splice(0, found.length - query.limit);
  }
  return query.backward ? found.slice(-query.limit).reverse() : found.slice(0, query.limit);
}

async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let open = '';
  for await (const bytes of source) {
    const lines = (open + decoder.decode(bytes, { stream: true })).split('\n');
    open = lines.pop() ?? '';
    yield* lines.map((line) => line.replace(/\r$/, ''));
    while (open.length > longestLine) {
      yield open.slice(0, longestLine);
      open = open.slice(longestLine);
    }
  }
  open += decoder.decode();
  if (open !== '') yield open;
}
