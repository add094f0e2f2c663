import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { wholeCharacters } from '../../logs/whole-characters';
import type { LogOptions } from '../../runtime';

const PIECE_BYTES = 65_536;
const POLL_MS = 200;

export interface LogFileOptions extends LogOptions {
  /** Whether nothing will be written any more. */
  readonly ended: () => boolean;
  /** Bytes of the log, where it has ended before its file does. */
  readonly end?: (() => number | undefined) | undefined;
}

/** A log file in pieces of bounded size, each ending between two characters; with `follow`, as it grows until the end. */
export function readLog(file: string, options: LogFileOptions): AsyncIterable<Uint8Array> {
  return wholeCharacters(pieces(file, options));
}

async function* pieces(file: string, options: LogFileOptions): AsyncGenerator<Uint8Array> {
  const { follow, signal, from = 0, ended, end } = options;
  const handle = await open(file).catch(() => undefined);
  if (!handle) return;
  try {
    for (let position = from; !signal.aborted;) {
      // Asked before the read: what was written until the end is read after it.
      const last = ended();
      const length = Math.max(0, Math.min(PIECE_BYTES, (end?.() ?? Infinity) - position));
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(PIECE_BYTES), 0, length, position);
      position += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else if (!follow || last) return;
      else await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await handle.close();
  }
}
