import { open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { BoundedLog, type SavedLog } from './bounded-log';
import { ByteMask } from '../../secrets/byte-mask';
import { makeFolders } from '../../support/make-folders';
import { draftFor } from '../../support/atomic-file';

export interface SaveLogRequest {
  /** The log from its beginning; a function receives a signal that ends the reading when nothing more arrives. */
  readonly source: AsyncIterable<Uint8Array> | ((signal: AbortSignal) => AsyncIterable<Uint8Array>);
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
 * the error. An empty log does not replace one that exists.
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
    const broken = await readInto(log, request);
    const saved = await log.complete(broken);
    if (await replaces(file, saved.bytes, broken !== undefined)) {
      await head.sync();
      await rename(draft, file);
    }
    if (broken !== undefined) throw broken.error;
    return saved;
  } finally {
    await Promise.all([head.close(), tail.close()]);
    await Promise.all([rm(draft, { force: true }), rm(ring, { force: true })]);
  }
}

const defaultQuietMs = 10_000;

/** Bytes; large enough for a cut character. */
const smallestHalf = 16;

/** Reads until the log ends or has been silent for `quietMs`; returns the error if it ended otherwise. */
async function readInto(log: BoundedLog, request: SaveLogRequest): Promise<{ error: unknown } | undefined> {
  const { signal, quietMs = defaultQuietMs } = request;
  const mask = new ByteMask(request.secrets ?? []);
  const ended = new AbortController();
  const onAbort = () => ended.abort(signal?.reason);
  if (signal?.aborted) return { error: signal.reason };
  signal?.addEventListener('abort', onAbort, { once: true });
  const source = typeof request.source === 'function' ? request.source(ended.signal) : request.source;
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await orQuiet(iterator.next(), quietMs, signal);
      if (next === 'quiet' || next.done) return undefined;
      await log.add(mask.push(next.value));
    }
  } catch (error) {
    return { error };
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

/** Returns whether the log replaces the one that an earlier call saved: never a shorter, broken one a longer one. */
async function replaces(file: string, bytes: number, broken: boolean): Promise<boolean> {
  const earlier = await stat(file).then(
    ({ size }) => size,
    () => undefined,
  );
  if (earlier === undefined) return bytes > 0 || !broken;
  return broken ? bytes > earlier : bytes > 0;
}
