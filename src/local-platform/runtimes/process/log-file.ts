import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { wholeCharacters } from '../../logs/whole-characters';
import type { LogOptions } from '../../runtime';

const CHUNK_BYTES = 65_536;
const POLL_MS = 200;

export interface LogFileOptions extends LogOptions {
  /** Returns whether the log is complete. */
  readonly ended: () => boolean;
  /** Returns the size of the log in bytes, if it ends before its file does. */
  readonly end?: (() => number | undefined) | undefined;
}

/** Reads a log file in bounded chunks, each of whole characters; with `follow`, until the log is complete. */
export function readLog(file: string, options: LogFileOptions): AsyncIterable<Uint8Array> {
  return wholeCharacters(chunks(file, options));
}

async function* chunks(file: string, options: LogFileOptions): AsyncGenerator<Uint8Array> {
  const { follow, signal, from = 0, ended, end } = options;
  const handle = await open(file).catch(() => undefined);
  if (!handle) return;
  try {
    for (let position = from; !signal.aborted;) {
      // Checked before the read, so that whatever was written before the end is read.
      const complete = ended();
      const length = Math.max(0, Math.min(CHUNK_BYTES, (end?.() ?? Infinity) - position));
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(CHUNK_BYTES), 0, length, position);
      position += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else if (!follow || complete) return;
      else await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await handle.close();
  }
}
