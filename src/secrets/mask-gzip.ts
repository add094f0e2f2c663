import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { ByteMask } from './byte-mask';
import { streamAtomically } from '../support/atomic-file';
import { salvaged, unpacked, type Damage } from './gzip-salvage';
import type { ArchiveLimits } from './limits';
import { search, TooLarge } from './search';
import { withheldReason, withhold, type MaskedContent, type WithheldBecause } from './withheld';

/** Masks secrets in gzip files, including truncated and damaged ones and those followed by other data. */

export type MaskedGzip = { readonly kind: 'clean' } | { readonly kind: 'masked'; readonly content: MaskedContent };

/**
 * Masks the file in place. A truncated file is read as far as it goes. A file that is damaged, or followed by other data, is
 * rewritten with what can be unpacked, since the rest can't be searched. A file that can't be unpacked at all, or is too large, is
 * replaced by a note.
 */
export async function maskGzip(file: string, secrets: readonly string[], limits: ArchiveLimits): Promise<MaskedGzip> {
  const note = async (because: WithheldBecause): Promise<MaskedGzip> => ({
    kind: 'masked',
    content: await withhold(file, { packed: 'gzip', because }),
  });
  try {
    const damage: Damage = { isDamaged: false };
    const whole = await search(unpacked(file, damage), secrets, limits.mostUnpacked);
    if (!damage.isDamaged) {
      // The header may hold a name and a comment.
      const isClean = whole.secrets === 0 && (await search(createReadStream(file), secrets)).secrets === 0;
      if (isClean) return { kind: 'clean' };
      return await rewritten(file, unpacked(file, damage), { secrets, isBinary: whole.isBinary });
    }
    const { bytes, isBinary } = await search(salvaged(file), secrets, limits.mostUnpacked);
    if (bytes === 0) return await note('damaged');
    const withheld = withheldReason('damaged', 'a part of it');
    const { kind, content } = await rewritten(file, salvaged(file), { secrets, isBinary });
    return { kind, content: { ...content, withheld } };
  } catch (error) {
    if (error instanceof TooLarge) return note('too large');
    throw error;
  }
}

async function rewritten(
  file: string,
  content: AsyncIterable<Buffer>,
  { secrets, isBinary }: { readonly secrets: readonly string[]; readonly isBinary: boolean },
): Promise<Extract<MaskedGzip, { kind: 'masked' }>> {
  const masked = async function* (): AsyncGenerator<Uint8Array> {
    const mask = new ByteMask(secrets, { keepLength: isBinary });
    for await (const chunk of content) yield mask.push(chunk);
    yield mask.end();
  };
  return { kind: 'masked', content: await streamAtomically(file, (save) => pipeline(masked, createGzip(), save)) };
}
