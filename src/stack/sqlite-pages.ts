import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * Pages of an SQLite database that no process has open, as a process that opens it would see them (https://sqlite.org/fileformat2.html).
 * Read without SQLite, because opening a damaged database recovers it and writes to it; and Node has one of its own only from 22.5 on.
 */
export interface SqlitePages {
  readonly count: number;
  /** Bytes of a page that hold content. */
  readonly usable: number;
  /** Throws `RangeError` for a number below 1 or above `count`, and for a page that the file ends before. */
  page(number: number): Buffer;
  close(): void;
}

/** Bytes. A longer write-ahead log takes too long to read for a mere check. */
const longestLog = 256 * 1024 * 1024;

const logHeaderBytes = 32;
const frameHeaderBytes = 24;

/** Opens a database whose header is known to be right. Returns `undefined` if what it holds can't be told without recovering it. */
export function openPages(file: string): SqlitePages | undefined {
  const main = openSync(file, 'r');
  let log: Log | undefined;
  try {
    const header = readAt(main, 0, 100);
    const stored = header.readUInt16BE(16);
    const pageBytes = stored === 1 ? 65_536 : stored;
    const held = Math.floor(fstatSync(main).size / pageBytes);
    log = openLog(`${file}-wal`, pageBytes);
    if (log === 'too long') {
      closeSync(main);
      return undefined;
    }
    return pagesOf({ main, log, pageBytes, usable: pageBytes - header.readUInt8(20), held });
  } catch (error) {
    closeSync(main);
    throw error;
  }
}

function pagesOf(files: {
  readonly main: number;
  readonly log: Exclude<Log, 'too long'> | undefined;
  readonly pageBytes: number;
  readonly usable: number;
  readonly held: number;
}): SqlitePages {
  const { main, log, pageBytes, usable, held } = files;
  const count = log?.pages ?? held;
  return {
    count,
    usable,
    page: (number) => {
      if (number < 1 || number > count) throw new RangeError(`there is no page ${number}`);
      const logged = log?.offsets.get(number);
      if (log !== undefined && logged !== undefined) return readAt(log.opened, logged, pageBytes);
      return readAt(main, (number - 1) * pageBytes, pageBytes);
    },
    close: () => {
      closeSync(main);
      if (log !== undefined) closeSync(log.opened);
    },
  };
}

type Log =
  'too long' | { readonly opened: number; readonly offsets: ReadonlyMap<number, number>; readonly pages: number };

/** Reads which pages a write-ahead log holds, as far as its checksums are right and the last commit reaches. `undefined`: none. */
function openLog(file: string, pageBytes: number): Log | undefined {
  let opened: number;
  try {
    opened = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let found: Log | undefined;
  try {
    found = fstatSync(opened).size > longestLog ? 'too long' : readLog(opened, pageBytes);
  } finally {
    if (typeof found !== 'object') closeSync(opened);
  }
  return found;
}

function readLog(opened: number, pageBytes: number): Log | undefined {
  const { size } = fstatSync(opened);
  if (size < logHeaderBytes) return undefined;
  const header = readAt(opened, 0, logHeaderBytes);
  const magic = header.readUInt32BE(0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return undefined;
  const isBig = magic === 0x377f0683;
  let sum = checksum(header.subarray(0, 24), [0, 0], isBig);
  const isWhole = sum[0] === header.readUInt32BE(24) && sum[1] === header.readUInt32BE(28);
  if (!isWhole || header.readUInt32BE(8) !== pageBytes) return undefined;
  const committed = new Map<number, number>();
  const pending = new Map<number, number>();
  let pages: number | undefined;
  const step = frameHeaderBytes + pageBytes;
  for (let at = logHeaderBytes; at + step <= size; at += step) {
    const frame = readAt(opened, at, step);
    // Frames of an earlier round have other salts.
    if (frame.compare(header, 16, 24, 8, 16) !== 0) break;
    sum = checksum(frame.subarray(frameHeaderBytes), checksum(frame.subarray(0, 8), sum, isBig), isBig);
    if (sum[0] !== frame.readUInt32BE(16) || sum[1] !== frame.readUInt32BE(20)) break;
    pending.set(frame.readUInt32BE(0), at + frameHeaderBytes);
    const sizeAfterCommit = frame.readUInt32BE(4);
    if (sizeAfterCommit === 0) continue;
    for (const [number, offset] of pending) committed.set(number, offset);
    pending.clear();
    pages = sizeAfterCommit;
  }
  return pages === undefined ? undefined : { opened, offsets: committed, pages };
}

function checksum(bytes: Buffer, [first, second]: readonly [number, number], isBig: boolean): [number, number] {
  let [a, b] = [first, second];
  for (let at = 0; at < bytes.length; at += 8) {
    const [x, y] = isBig
      ? [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
      : [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    a = (a + x + b) >>> 0;
    b = (b + y + a) >>> 0;
  }
  return [a, b];
}

function readAt(opened: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (readSync(opened, bytes, 0, length, position) < length) throw new RangeError('the file ends too early');
  return bytes;
}
