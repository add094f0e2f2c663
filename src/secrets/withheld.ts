import { createGzip } from 'node:zlib';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { streamAtomically, type FileContent } from '../support/atomic-file';

/** Notes that replace content that could not be searched for secrets, in a form that the file's usual tools can show. */

export type WithheldBecause = 'too large' | 'too many entries' | 'damaged' | 'packed in an unknown way';

const reasons: Readonly<Record<WithheldBecause, string>> = {
  'too large': 'it unpacks to more than 4 GiB',
  'too many entries': 'it has too many entries',
  damaged: 'it is damaged',
  'packed in an unknown way': 'it is packed in a way that evalsaga does not know',
};

/** Content of a file after masking. */
export interface MaskedContent extends FileContent {
  /** Why content other than secrets is missing, so that storage, with the only complete copy, must be kept. Absent: nothing is missing. */
  readonly withheld?: string | undefined;
}

/** Returns why the original stays in storage. `part`: what could not be searched; default: all of it. */
export const withheldReason = (because: WithheldBecause, part?: string): string =>
  `not searched for secrets: ${part ?? 'it'} ${reasons[because].replace(/^it /, '')}`;

export const withheldNote = (what: string, because: WithheldBecause): string =>
  `evalsaga left ${what} out: ${reasons[because]}, so that it could not be searched for the run's secrets.\n` +
  'manifest.json has the size and sha256 of the original.\n';

/** Replaces the file with a note, packed like the file, so that the same tools show it. */
export async function withhold(
  file: string,
  { packed, because }: { readonly packed: 'gzip' | 'zip'; readonly because: WithheldBecause },
): Promise<MaskedContent> {
  const note = withheldNote('what this file held', because);
  const content = await streamAtomically(file, (save) => {
    if (packed === 'gzip') return pipeline(Readable.from([Buffer.from(note)]), createGzip(), save);
    const archive = new ZipFile();
    archive.addBuffer(Buffer.from(note), 'WITHHELD.txt');
    archive.end();
    return save(archive.outputStream as AsyncIterable<Uint8Array> & NodeJS.ReadableStream);
  });
  return { ...content, withheld: withheldReason(because) };
}
