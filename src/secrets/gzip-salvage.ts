import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { PassThrough, type Transform } from 'node:stream';
import { constants, createGunzip, createInflateRaw } from 'node:zlib';

/** Unpacks gzip files that strict tools reject. */

/** Set once it is known that a file is not intact gzip. */
export interface Damage {
  isDamaged: boolean;
}

/** Returns the unpacked content, also of a truncated file. At damage it ends early and sets `isDamaged`. */
export const unpacked = (file: string, damage: Damage): AsyncIterable<Buffer> =>
  lenient(file, 0, createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }), damage);

/** Returns as much of a damaged file as can be unpacked: member by member, up to bad bytes or other data. */
export async function* salvaged(file: string): AsyncGenerator<Buffer> {
  let at = 0;
  for (let header = await headerAt(file, at); header !== undefined; header = await headerAt(file, at)) {
    // Bad bytes discard what was unpacked in the same step, so steps are small.
    const inflate = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH, chunkSize: 1024 });
    const damage: Damage = { isDamaged: false };
    yield* lenient(file, at + header, inflate, damage);
    if (damage.isDamaged) return;
    at += header + inflate.bytesWritten + trailer;
  }
}

const trailer = 8;

function lenient(
  file: string,
  start: number,
  unpacking: Transform & { readonly bytesWritten: number },
  damage: Damage,
): AsyncIterable<Buffer> {
  const source = createReadStream(file, { start });
  const output = new PassThrough();
  source.on('error', (error) => output.destroy(error));
  unpacking.on('error', () => {
    damage.isDamaged = true;
    source.destroy();
    output.end();
  });
  output.on('close', () => {
    source.destroy();
    unpacking.destroy();
  });
  source.pipe(unpacking).pipe(output);
  return output as AsyncIterable<Buffer>;
}

/** Returns the length of the gzip header at this offset (RFC 1952); `undefined`: there is none. */
async function headerAt(file: string, at: number): Promise<number | undefined> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(128 * 1024), 0, 128 * 1024, at);
    return headerLength(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

function headerLength(bytes: Buffer): number | undefined {
  if (!hasGzipHeader(bytes)) return undefined;
  const flags = bytes[3] ?? 0;
  let length = 10;
  if (flags & 4) length += 2 + (length + 2 <= bytes.length ? bytes.readUInt16LE(length) : 0);
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const end = bytes.indexOf(0, length);
    if (end === -1) return undefined;
    length = end + 1;
  }
  if (flags & 2) length += 2;
  return length <= bytes.length ? length : undefined;
}

/** Whether the bytes begin like gzip, with no reserved flag set: tools would try to unpack it. */
export const hasGzipHeader = (bytes: Buffer): boolean =>
  bytes.length >= 10 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8 && ((bytes[3] ?? 0) & 0xe0) === 0;
