import { open, stat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { linesOf } from '../../support/lines';
import { harmlessText } from '../../support/terminal-text';

/** Logs as lines, in bounded memory. */

/** Characters; a longer line is split into several. */
const LONGEST_LINE = 64 * 1024;
/** Milliseconds of silence after which the existing part of a live log counts as read. */
const QUIET_MS = 2_000;
/** Milliseconds for the first line: the platform may be far away, the log large or empty. */
const FIRST_MS = 10_000;

/** Decodes a log into lines that are harmless for a terminal. */
export async function* logLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const lines = linesOf(source, { longest: LONGEST_LINE, excess: 'next line', unfinished: 'kept' });
  for await (const line of lines) yield clean(line);
}

/** Keeps only the last state of a progress bar that overwrites itself. */
function clean(line: string): string {
  const drawn = line.replace(/\r+$/, '');
  return harmlessText(drawn.slice(drawn.lastIndexOf('\r') + 1));
}

/** Reads a file: all of it, or its last `lines` lines. */
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
        // The line end at the end of the file separates nothing.
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

/** While a log still arrives in bulk (more than `lines` per window), its last lines are not known yet. */
const backlog = { windowMs: 3_000, lines: 300 } as const;

export interface LiveReading {
  /** Read until the source ends; otherwise until it is quiet. */
  readonly follow: boolean;
  /** Yield only this many lines of the existing part. */
  readonly tail: number | undefined;
  /** Milliseconds of silence that end the existing part; default 2 000. */
  readonly quietMs?: number | undefined;
}

/**
 * Yields the lines of a live log. With `tail`, the existing part ends when the log is quiet, or arrives no faster than a log
 * that a person could follow. The source is closed when reading ends.
 */
export async function* liveLines(source: AsyncIterable<string>, reading: LiveReading): AsyncGenerator<string> {
  const { follow, tail, quietMs = QUIET_MS } = reading;
  const iterator = source[Symbol.asyncIterator]();
  const held = new LastLines(tail ?? 0);
  let isHolding = tail !== undefined;
  let seen = { since: Date.now(), lines: 0 };
  let next = iterator.next();
  try {
    for (let patience = FIRST_MS; ; patience = quietMs) {
      const step = isHolding || !follow ? await orQuiet(next, patience) : await next;
      if (step === 'quiet') {
        yield* held.take();
        if (!follow) return;
        isHolding = false;
        continue;
      }
      if (step.done) break;
      next = iterator.next();
      if (!isHolding) yield step.value;
      else held.add(step.value);
      seen.lines += 1;
      if (!isHolding || !follow || Date.now() - seen.since < backlog.windowMs) continue;
      isHolding = seen.lines > backlog.lines;
      if (!isHolding) yield* held.take();
      seen = { since: Date.now(), lines: 0 };
    }
    yield* held.take();
  } finally {
    next.catch(() => undefined);
    void iterator.return?.(undefined)?.catch(() => undefined);
  }
}

/** Returns the step, or `quiet` if it takes longer. Clears its timer, which would keep the step's line in memory. */
async function orQuiet<T>(step: Promise<T>, ms: number): Promise<T | 'quiet'> {
  let timer: NodeJS.Timeout | undefined;
  const quiet = new Promise<'quiet'>((resolve) => {
    timer = setTimeout(() => resolve('quiet'), ms);
  });
  try {
    return await Promise.race([step, quiet]);
  } finally {
    clearTimeout(timer);
  }
}

/** Yields the last `count` lines of a source that ends; without a count, all of them. */
export async function* lastLines(source: AsyncIterable<string>, count: number | undefined): AsyncGenerator<string> {
  if (count === undefined) {
    yield* source;
    return;
  }
  const held = new LastLines(count);
  for await (const line of source) held.add(line);
  yield* held.take();
}

class LastLines {
  private lines: string[] = [];

  constructor(private readonly count: number) {}

  add(line: string): void {
    this.lines.push(line);
    // Not for every line, because it copies them all.
    if (this.lines.length > 2 * this.count) this.lines = this.newest();
  }

  take(): string[] {
    const taken = this.newest();
    this.lines = [];
    return taken;
  }

  private newest(): string[] {
    return this.count === 0 ? [] : this.lines.slice(-this.count);
  }
}
