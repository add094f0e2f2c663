import { open, stat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { linesOf } from '../../support/lines';
import { harmlessText } from '../../support/terminal-text';

/** Logs as lines, bounded in memory however long they are. */

/** A longer line is cut into several. */
const LONGEST_LINE = 64 * 1024;
/** A burst is over when nothing has come for this long: what there is of a live log has been seen. */
const QUIET_MS = 2_000;
/** How long the first line may take: a platform far away, a log that is large or empty. */
const FIRST_MS = 10_000;

/** Decodes a log into lines that are harmless for a terminal. */
export async function* logLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const lines = linesOf(source, { longest: LONGEST_LINE, excess: 'next line', unfinished: 'kept' });
  for await (const line of lines) yield clean(line);
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

/** How long the last lines are waited for while many more come before them. */
const backlog = { windowMs: 3_000, lines: 300 } as const;

export interface LiveReading {
  /** Go on until the source ends; otherwise until it is quiet. */
  readonly follow: boolean;
  /** Of what there is at the beginning, only so many lines. */
  readonly tail: number | undefined;
  /** Milliseconds of silence after which what there is has been seen; default 2 000. */
  readonly quietMs?: number | undefined;
}

/**
 * Lines of a live log. With `tail`, what there is at the beginning is over when the log is quiet, or no longer comes faster
 * than anything is written that a person would follow. The source is closed when the reading ends.
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

/** The step, or `quiet` when it takes longer. Its timer goes with it: one that lived on would keep the step's line. */
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

/** The last `count` lines of a source that ends; all of them without a count. */
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
    // Not at every line: moving them all is dear.
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
