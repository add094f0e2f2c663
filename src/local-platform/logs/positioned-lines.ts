/** Opens a log at a position. */
export type OpenLog = (from: number) => AsyncIterable<Uint8Array>;

export interface PositionedLine {
  readonly text: string;
  /** Position after its last byte, including the newline. */
  readonly end: number;
}

/** Longer lines are split, as container runtimes do, so that memory and pages stay bounded. */
const maxLineBytes = 16 * 1024;

/** Yields lines that end in `(start, end]`. `includeUnfinished` also yields a last line without a newline. */
export async function* linesWithin(range: {
  readonly open: OpenLog;
  readonly start: number;
  readonly end: number;
  readonly includeUnfinished: boolean;
}): AsyncGenerator<PositionedLine> {
  const { open, start, end, includeUnfinished } = range;
  if (start >= end) return;
  for await (const line of linesFrom(open, { position: await lineStart(open, start), includeUnfinished })) {
    if (line.end > end) return;
    if (line.end > start) yield line;
  }
}

async function* linesFrom(
  open: OpenLog,
  { position, includeUnfinished }: { readonly position: number; readonly includeUnfinished: boolean },
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
  if (includeUnfinished && rest.byteLength > 0) yield { text: rest.toString('utf8'), end: start + rest.byteLength };
}

/** Returns where the first line of `bytes` ends and where the next begins; `undefined` if the line doesn't end here. */
function endOfLine(bytes: Buffer): { text: number; next: number } | undefined {
  const newline = bytes.indexOf(0x0a);
  if (newline !== -1 && newline <= maxLineBytes) return { text: newline, next: newline + 1 };
  if (bytes.byteLength <= maxLineBytes) return undefined;
  let cut = maxLineBytes;
  while (cut > maxLineBytes - 4 && ((bytes[cut] ?? 0) & 0xc0) === 0x80) cut -= 1; // never split a character
  return { text: cut, next: cut };
}

/** Returns where the line that contains `position` begins, searching backwards in growing steps. */
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
