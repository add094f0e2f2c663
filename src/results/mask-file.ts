import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { ByteMask } from './byte-mask';
import { mostUnpacked } from '../secrets/limits';
import { maskZip } from './mask-zip';
import { writeWholeFrom, type FileContent } from './whole-file';

/**
 * Secrets in files that a job wrote: a harness may put its environment, or a request with its headers, into its artefacts.
 * They are masked before a file takes its place at home, after its content was checked against the original. A file
 * without a secret stays as it is, byte for byte.
 */

/** Masks the file in place; what it holds now, or `undefined` when nothing had to be masked. */
export async function maskFile(file: string, secrets: readonly string[]): Promise<FileContent | undefined> {
  if (new ByteMask(secrets).isEmpty) return undefined;
  const kind = await kindOf(file);
  if (kind === 'zip') {
    const zip = await maskZip(file, secrets);
    // An archive that can't be read as one is looked at as the bytes that it is.
    if (zip.kind !== 'unreadable') return zip.kind === 'masked' ? zip.content : undefined;
  }
  const packed = kind === 'gzip';
  const look = await lookInto(file, { packed, secrets });
  if (look === undefined || look.found === 0) return undefined;
  return rewrite(file, { packed, secrets, isBinary: look.isBinary });
}

interface Look {
  readonly found: number;
  /** It has zero bytes: in archives, databases and the like positions and lengths must stay what they are. */
  readonly isBinary: boolean;
}

/** `undefined`: it can't be unpacked, or would be too large. */
async function lookInto(
  file: string,
  { packed, secrets }: { readonly packed: boolean; readonly secrets: readonly string[] },
): Promise<Look | undefined> {
  const mask = new ByteMask(secrets);
  let isBinary = false;
  let bytes = 0;
  try {
    for await (const chunk of contentOf(file, packed)) {
      bytes += chunk.length;
      if (packed && bytes > mostUnpacked) return undefined;
      isBinary ||= chunk.includes(0);
      mask.push(chunk);
    }
  } catch (error) {
    // No gzip after all, or a damaged one: looked at as the bytes that it is.
    if (packed && isZlibError(error)) return undefined;
    throw error;
  }
  mask.end();
  return { found: mask.found, isBinary };
}

const isZlibError = (error: unknown): boolean => String((error as NodeJS.ErrnoException).code).startsWith('Z_');

function contentOf(file: string, packed: boolean): AsyncIterable<Buffer> {
  const source = createReadStream(file);
  if (!packed) return source as AsyncIterable<Buffer>;
  const unpacked = createGunzip();
  source.on('error', (error) => unpacked.destroy(error));
  return source.pipe(unpacked) as AsyncIterable<Buffer>;
}

async function kindOf(file: string): Promise<'gzip' | 'zip' | 'plain'> {
  const handle = await open(file, 'r');
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    const begins = (...bytes: number[]): boolean => bytes.every((byte, at) => buffer[at] === byte);
    return begins(0x1f, 0x8b, 8) ? 'gzip' : begins(0x50, 0x4b, 3, 4) ? 'zip' : 'plain';
  } finally {
    await handle.close();
  }
}

async function rewrite(
  file: string,
  { packed, secrets, isBinary }: { packed: boolean; secrets: readonly string[]; isBinary: boolean },
): Promise<FileContent> {
  const masked = async function* (): AsyncGenerator<Uint8Array> {
    const mask = new ByteMask(secrets, { keepLength: isBinary });
    for await (const chunk of contentOf(file, packed)) yield mask.push(chunk);
    yield mask.end();
  };
  return writeWholeFrom(file, (save) => (packed ? pipeline(masked, createGzip(), save) : save(masked())));
}
