import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { archiveLimits, type ArchiveLimits } from './limits';
import { hasGzipHeader } from './gzip-salvage';
import { maskGzip } from './mask-gzip';
import { search } from './search';
import { ByteMask } from './byte-mask';
import { maskZip } from './mask-zip';
import { streamAtomically } from '../support/atomic-file';
import type { MaskedContent } from './withheld';

/**
 * Masks secrets in files that a job wrote: a harness may write its environment, or a request with its headers, into its artefacts.
 * Files are masked after their content was verified against the original, and before they are moved into place. A file without a
 * secret stays the same, byte for byte; an archive that can't be searched is not fetched, and its storage is kept.
 */

/** Masks the file in place; returns its new content, or `undefined` if nothing had to be masked. */
export async function maskFile(
  file: string,
  secrets: readonly string[],
  limits: ArchiveLimits = archiveLimits,
): Promise<MaskedContent | undefined> {
  const kind = await kindOf(file);
  if (kind !== 'plain') {
    const outcome = await (kind === 'gzip' ? maskGzip : maskZip)(file, secrets, limits);
    if (outcome.kind === 'masked') return outcome.content;
    if (outcome.kind === 'clean') return undefined;
  }
  return maskPlain(file, secrets);
}

async function maskPlain(file: string, secrets: readonly string[]): Promise<MaskedContent | undefined> {
  const { secrets: found, isBinary } = await search(createReadStream(file), secrets);
  if (found === 0) return undefined;
  const masked = async function* (): AsyncGenerator<Uint8Array> {
    const mask = new ByteMask(secrets, { keepLength: isBinary });
    for await (const chunk of createReadStream(file)) yield mask.push(chunk as Buffer);
    yield mask.end();
  };
  return streamAtomically(file, (save) => save(masked()));
}

async function kindOf(file: string): Promise<'gzip' | 'zip' | 'plain'> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(10), 0, 10, 0);
    const begins = (...bytes: number[]): boolean => bytes.every((byte, at) => buffer[at] === byte);
    return hasGzipHeader(buffer.subarray(0, bytesRead)) ? 'gzip' : begins(0x50, 0x4b, 3, 4) ? 'zip' : 'plain';
  } finally {
    await handle.close();
  }
}
