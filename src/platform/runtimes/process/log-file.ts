import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { wholeCharacters } from '../../logs/whole-characters';

const PIECE_BYTES = 65_536;
const POLL_MS = 200;

export interface LogOptions {
  readonly follow: boolean;
  readonly signal: AbortSignal;
  /** Whether nothing will be written any more. */
  readonly ended: () => boolean;
}

/** A log file in pieces of bounded size, each ending between two characters; with `follow`, as it grows until the end. */
export function readLog(file: string, options: LogOptions): AsyncIterable<Uint8Array> {
  return wholeCharacters(pieces(file, options));
}

async function* pieces(file: string, { follow, signal, ended }: LogOptions): AsyncGenerator<Uint8Array> {
  const handle = await open(file).catch(() => undefined);
  if (!handle) return;
  try {
    for (let position = 0; !signal.aborted;) {
      // Asked before the read: what was written until the end is read after it.
      const last = ended();
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(PIECE_BYTES), 0, PIECE_BYTES, position);
      position += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else if (!follow || last) return;
      else await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await handle.close();
  }
}
