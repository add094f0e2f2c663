import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { BoundedLog, brokeOffWords, type SavedLog } from './bounded-log';
import { ByteMask } from '../../secrets/byte-mask';
import { cut } from './time-limited-log';
import { makeFolders } from '../../support/make-folders';
import { draftFor } from '../../support/atomic-file';

type LogPieces = AsyncIterable<Uint8Array, unknown>;

export interface SaveLogRequest {
  /**
   * The log from its beginning; a function receives a signal that ends the reading when nothing more arrives. It may return `cut` (see
   * `timeLimitedLog`).
   */
  readonly source: LogPieces | ((signal: AbortSignal) => LogPieces);
  readonly file: string;
  /** Limit on the file, without the line that says what is left out. Of a longer log, one half of it holds the head, the other the tail. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Values to mask. Default: none. */
  readonly secrets?: readonly string[] | undefined;
  /**
   * Milliseconds of silence after which the log counts as complete: Lepton's logs don't end while the replica runs. Default
   * 10 000.
   */
  readonly quietMs?: number | undefined;
}

/**
 * Saves a log atomically, in bounded memory. When reading breaks off, saves what has arrived with a last line that says so, and throws
 * the error. Neither an empty log nor a part of one replaces a file that has more.
 */
export async function saveLog(request: SaveLogRequest): Promise<SavedLog> {
  const { file, maxBytes } = request;
  await makeFolders(path.dirname(file));
  const half = Math.max(Math.floor(maxBytes / 2), smallestHalf);
  const draft = draftFor(file);
  const ring = draftFor(file);
  const head = await open(draft, 'wx+');
  const tail = await open(ring, 'wx+');
  try {
    const log = new BoundedLog(head, tail, half);
    const reading = await readInto(log, request);
    const broken = reading.end === 'broken' ? { error: reading.error } : undefined;
    const saved = await log.complete(broken);
    // Of a log with the middle left out, only the head is whole.
    const gapless = saved.leftOut > 0 ? Math.min(reading.gapless, half) : reading.gapless;
    const isNew = await replaces(file, { ...reading, gapless }, saved.bytes);
    if (isNew) {
      await head.sync();
      await rename(draft, file);
    }
    if (broken !== undefined) throw broken.error;
    return {
      ...saved,
      ...(reading.end === 'cut' ? { isCut: true as const } : {}),
      ...(isNew ? {} : { isEarlier: true as const }),
    };
  } finally {
    await Promise.all([head.close(), tail.close()]);
    await Promise.all([rm(draft, { force: true }), rm(ring, { force: true })]);
  }
}

const defaultQuietMs = 10_000;

/** Bytes; large enough for a cut character. */
const smallestHalf = 16;

/** How the reading of a log ended: with the log, in silence, with a gap before the last piece, or with an error. */
interface Reading {
  readonly end: 'ended' | 'silent' | 'cut' | 'broken';
  /** Bytes that came without a gap, from the beginning of the log. */
  readonly gapless: number;
  /** Of one that broke off. */
  readonly error?: unknown;
}

/** Reads until the log ends, has been silent for `quietMs`, or breaks off. */
async function readInto(log: BoundedLog, request: SaveLogRequest): Promise<Reading> {
  const { signal, quietMs = defaultQuietMs } = request;
  const mask = new ByteMask(request.secrets ?? []);
  const ended = new AbortController();
  const onAbort = () => ended.abort(signal?.reason);
  if (signal?.aborted) return { end: 'broken', gapless: 0, error: signal.reason };
  signal?.addEventListener('abort', onAbort, { once: true });
  const source = typeof request.source === 'function' ? request.source(ended.signal) : request.source;
  const iterator = source[Symbol.asyncIterator]();
  let bytes = 0;
  let beforeLast = 0;
  try {
    for (;;) {
      const next = await orQuiet(iterator.next(), quietMs, signal);
      if (next === 'quiet') return { end: 'silent', gapless: bytes };
      if (next.done && next.value === cut) return { end: 'cut', gapless: beforeLast };
      if (next.done) return { end: 'ended', gapless: bytes };
      beforeLast = bytes;
      const piece = mask.push(next.value);
      await log.add(piece);
      bytes += piece.byteLength;
    }
  } catch (error) {
    return { end: 'broken', gapless: bytes, error };
  } finally {
    await log.add(mask.end());
    signal?.removeEventListener('abort', onAbort);
    ended.abort();
    // Not awaited: a source that waits for its next piece returns only when that arrives.
    iterator.return?.().catch(() => undefined);
  }
}

/** Resolves to `quiet` if the promise takes longer than `quietMs`; rejects with the signal's reason if that aborts first. */
async function orQuiet<T>(promise: Promise<T>, quietMs: number, signal: AbortSignal | undefined): Promise<T | 'quiet'> {
  promise.catch(() => undefined); // an abandoned source may still fail
  signal?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const quiet = new Promise<'quiet'>((resolve, reject) => {
    timer = setTimeout(() => resolve('quiet'), quietMs);
    onAbort = () => reject(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, quiet]);
  } finally {
    clearTimeout(timer);
    if (onAbort) signal?.removeEventListener('abort', onAbort);
  }
}

/**
 * Returns whether the log replaces the one that an earlier call saved. One that came whole does; a part, or one that fell silent, which
 * may be a part, never replaces more than it has itself.
 */
async function replaces(file: string, { end, gapless }: Reading, bytes: number): Promise<boolean> {
  const earlier = await bytesIn(file);
  if (earlier === undefined) return bytes > 0 || end !== 'broken';
  switch (end) {
    case 'ended':
      return bytes > 0;
    case 'silent':
      return bytes > 0 && bytes >= earlier;
    case 'cut':
    case 'broken':
      return gapless > earlier;
  }
}

/** Bytes at the end of a saved log in which the line is looked for that says that it broke off. */
const endBytes = 4_096;

/** Returns how many bytes of a log were saved; `undefined`: none. */
async function bytesIn(file: string): Promise<number | undefined> {
  const saved = await open(file).catch(() => undefined);
  if (saved === undefined) return undefined;
  try {
    const { size } = await saved.stat();
    const end = Buffer.alloc(Math.min(endBytes, size));
    await saved.read(end, 0, end.length, size - end.length);
    const brokeOff = end.lastIndexOf(`\n${brokeOffWords}`);
    return brokeOff < 0 ? size : size - end.length + brokeOff;
  } finally {
    await saved.close();
  }
}
