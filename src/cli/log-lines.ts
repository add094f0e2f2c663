import { open, stat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { harmlessText } from '../report/terminal-text';

/** Logs as lines, bounded in memory however long they are. */

/** A longer line is cut into several. */
const LONGEST_LINE = 64 * 1024;
/** A burst is over when nothing has come for this long: what there is of a live log has been seen. */
const QUIET_MS = 700;
/** How long the first line may take: a platform far away, a log that is large or empty. */
const FIRST_MS = 10_000;

/** Lines of a stream of bytes; a character that is split over two pieces stays whole. */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of source) {
    const pieces = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = pieces.pop() ?? '';
    yield* pieces.map(clean);
    while (rest.length > LONGEST_LINE) {
      yield clean(rest.slice(0, LONGEST_LINE));
      rest = rest.slice(LONGEST_LINE);
    }
  }
  rest += decoder.decode();
  if (rest !== '') yield clean(rest);
}

/** A progress bar that draws over itself leaves its last state. */
function clean(line: string): string {
  const drawn = line.replace(/\r+$/, '');
  return harmlessText(drawn.slice(drawn.lastIndexOf('\r') + 1));
}

/** A file's bytes: all, or from where its last `lines` lines begin. */
export async function* fileBytes(file: string, lines: number | undefined): AsyncGenerator<Uint8Array> {
  const start = lines === undefined ? 0 : await startOfLastLines(file, lines);
  yield* createReadStream(file, { start }) as AsyncIterable<Uint8Array>;
}

const BLOCK = 64 * 1024;

/** Reads backwards from the end, block by block. */
async function startOfLastLines(file: string, lines: number): Promise<number> {
  const { size } = await stat(file);
  if (lines <= 0) return size;
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(BLOCK);
    let missing = lines;
    for (let end = size; end > 0; end -= Math.min(BLOCK, end)) {
      const start = Math.max(0, end - BLOCK);
      const { bytesRead } = await handle.read(buffer, 0, end - start, start);
      for (let at = bytesRead - 1; at >= 0; at -= 1) {
        // The line end of the last line itself is no border.
        if (buffer[at] !== 0x0a || start + at === size - 1) continue;
        missing -= 1;
        if (missing === 0) return start + at + 1;
      }
    }
    return 0;
  } finally {
    await handle.close();
  }
}

export interface LiveReading {
  /** Go on until the source ends; otherwise until it is quiet. */
  readonly follow: boolean;
  /** Of what there is at the beginning, only so many lines. */
  readonly tail: number | undefined;
}

/** Lines of a live log. The source is closed when the reading ends. */
export async function* liveLines(source: AsyncIterable<string>, { follow, tail }: LiveReading): AsyncGenerator<string> {
  const iterator = source[Symbol.asyncIterator]();
  const held: string[] = [];
  let isHolding = tail !== undefined;
  let next = iterator.next();
  try {
    for (let patience = FIRST_MS; ; patience = QUIET_MS) {
      const step = isHolding || !follow ? await Promise.race([next, quiet(patience)]) : await next;
      if (step === 'quiet') {
        yield* held.splice(0);
        if (!follow) return;
        isHolding = false;
        continue;
      }
      if (step.done) break;
      next = iterator.next();
      if (!isHolding) yield step.value;
      else if (held.push(step.value) > (tail ?? 0)) held.shift();
    }
    yield* held;
  } finally {
    next.catch(() => undefined);
    void iterator.return?.(undefined)?.catch(() => undefined);
  }
}

async function quiet(ms: number): Promise<'quiet'> {
  return new Promise((resolve) => setTimeout(() => resolve('quiet'), ms).unref());
}

/** The last `count` lines of a source that ends; all of them without a count. */
export async function* lastLines(source: AsyncIterable<string>, count: number | undefined): AsyncGenerator<string> {
  const held: string[] = [];
  for await (const line of source) {
    if (count === undefined) yield line;
    else if (held.push(line) > count) held.shift();
  }
  yield* held;
}
