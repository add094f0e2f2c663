/** The log's bytes from a position on. */
export type OpenLog = (from: number) => AsyncIterable<Uint8Array>;

export interface PositionedLine {
  readonly text: string;
  /** Position after its last byte, its line end included. */
  readonly end: number;
}

/** A longer line is cut into several, as container runtimes do, so that memory and pages stay bounded. */
const longestLine = 16 * 1024;

/** Lines that end in `(start, end]`. `unfinished`: what comes last is a line also without its end. */
export async function* linesWithin(range: {
  readonly open: OpenLog;
  readonly start: number;
  readonly end: number;
  readonly unfinished: boolean;
}): AsyncGenerator<PositionedLine> {
  const { open, start, end, unfinished } = range;
  if (start >= end) return;
  for await (const line of linesFrom(open, { position: await lineStart(open, start), unfinished })) {
    if (line.end > end) return;
    if (line.end > start) yield line;
  }
}

async function* linesFrom(
  open: OpenLog,
  { position, unfinished }: { readonly position: number; readonly unfinished: boolean },
): AsyncGenerator<PositionedLine> {
  let start = position;
  let rest = Buffer.alloc(0);
  for await (const bytes of open(position)) {
    let buffer = rest.byteLength === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes]);
    for (let line = endOfLine(buffer); line !== undefined; line = endOfLine(buffer)) {
      start += line.next;
      yield { text: buffer.toString('utf8', 0, line.text).replace(/\r$/, ''), end: start };
      buffer = buffer.subarray(line.next);
    }
    rest = Buffer.from(buffer);
  }
  if (unfinished && rest.byteLength > 0) yield { text: rest.toString('utf8'), end: start + rest.byteLength };
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

/** Where the line begins that goes on at `position`, or begins there: looked for backwards, further each time. */
async function lineStart(open: OpenLog, position: number): Promise<number> {
  for (let step = 64 * 1024; ; step *= 2) {
    const from = Math.max(0, position - step);
    let start = from === 0 ? 0 : undefined;
    let at = from;
    for await (const bytes of open(from)) {
      const newline = bytes.subarray(0, position - at).lastIndexOf(0x0a);
      if (newline !== -1) start = at + newline + 1;
      at += bytes.byteLength;
      if (at >= position) break;
    }
    if (start !== undefined) return start;
  }
}
