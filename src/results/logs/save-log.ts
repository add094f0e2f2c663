import { open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { BoundedLog, type SavedLog } from './bounded-log';
import { ByteMask } from '../../secrets/byte-mask';
import { makeFolders } from '../../support/make-folders';
import { draftFor } from '../../support/atomic-file';

export interface SaveLogRequest {
  /** The log from its beginning; a function gets a signal that ends the reading when nothing comes any more. */
  readonly source: AsyncIterable<Uint8Array> | ((signal: AbortSignal) => AsyncIterable<Uint8Array>);
  readonly file: string;
  /** Largest size of the file, but for the line that says what is left out. Beyond it the middle goes: half head, half tail. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Values that are written as `***`. Default: none. */
  readonly secrets?: readonly string[] | undefined;
  /**
   * Milliseconds of silence after which the log so far is taken for all there is: Lepton's logs go on while the replica
   * runs. Default 10 000.
   */
  readonly quietMs?: number | undefined;
}

/**
 * Saves a log whole or not at all; memory does not grow with it. When reading breaks off, what came until then is saved
 * with a last line that says so, and the error is thrown. A log that yields nothing does not replace one that is there.
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

/** Holds the beginning of a character, wherever it is cut. */
const smallestHalf = 16;

/** Reads to the end, or until it has been quiet for too long; `broken` when it ended otherwise. */
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
      const next = await within(iterator.next(), quietMs, signal);
      if (next === 'quiet' || next.done) return undefined;
      await log.add(mask.push(next.value));
    }
  } catch (error) {
    return { error };
  } finally {
    await log.add(mask.end());
    signal?.removeEventListener('abort', onAbort);
    ended.abort();
    // Not awaited: a source that waits for its next piece only returns when that comes.
    iterator.return?.().catch(() => undefined);
  }
}

/** `quiet` when the promise takes too long; rejects with the signal's reason when that comes first. */
async function within<T>(promise: Promise<T>, quietMs: number, signal: AbortSignal | undefined): Promise<T | 'quiet'> {
  promise.catch(() => undefined); // a source that is given up may still fail
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

/** Whether a log that was read takes the place of what an earlier call saved: never less for more. */
async function replaces(file: string, bytes: number, broken: boolean): Promise<boolean> {
  const earlier = await stat(file).then(
    ({ size }) => size,
    () => undefined,
  );
  if (earlier === undefined) return bytes > 0 || !broken;
  return broken ? bytes > earlier : bytes > 0;
}
