import { Readable } from 'node:stream';
import { openPromise, type Entry, type ZipFile as ZipReader } from 'yauzl';
import { ZipFile as ZipWriter } from 'yazl';
import { mostEntries, mostUnpacked } from '../secrets/limits';
import { ByteMask } from './byte-mask';
import { writeWholeFrom, type FileContent } from './whole-file';

/** Secrets in what a zip archive holds (also `.npz`, `.pt`, `.xlsx`): it is written anew when there are any. */

export type MaskedZip =
  | { readonly kind: 'clean' }
  | { readonly kind: 'masked'; readonly content: FileContent }
  /** No archive after all, a damaged, an encrypted or a too large one. */
  | { readonly kind: 'unreadable' };

/** Masks the archive in place. Streams: memory does not grow with what it holds. */
export async function maskZip(file: string, secrets: readonly string[]): Promise<MaskedZip> {
  try {
    const members = await lookInto(file, secrets);
    if (!members.some(({ found }) => found > 0)) return { kind: 'clean' };
    return { kind: 'masked', content: await rewrite(file, members, secrets) };
  } catch (error) {
    if (isOfArchive(error)) return { kind: 'unreadable' };
    throw error;
  }
}

class UnreadableEntry extends Error {}

/** The reader's own errors have no code, those of the file system do. */
const isOfArchive = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || code.startsWith('Z_');
};

interface Member {
  readonly entry: Entry;
  readonly found: number;
  /** It has zero bytes: positions and lengths must stay what they are. */
  readonly isBinary: boolean;
}

async function withArchive<T>(file: string, work: (archive: ZipReader) => Promise<T>): Promise<T> {
  const archive = await openPromise(file, { autoClose: false, lazyEntries: true });
  try {
    return await work(archive);
  } finally {
    archive.close();
  }
}

async function lookInto(file: string, secrets: readonly string[]): Promise<readonly Member[]> {
  return withArchive(file, async (archive) => {
    if (archive.entryCount > mostEntries) throw new UnreadableEntry('too many entries');
    const members: Member[] = [];
    let unpacked = 0;
    for await (const entry of archive.eachEntry()) {
      if (!entry.canDecodeFileData()) throw new UnreadableEntry('encrypted, or packed in an unknown way');
      const mask = new ByteMask(secrets);
      let isBinary = false;
      for await (const chunk of await archive.openReadStreamPromise(entry)) {
        const bytes = chunk as Buffer;
        unpacked += bytes.length;
        if (unpacked > mostUnpacked) throw new UnreadableEntry('too large');
        isBinary ||= bytes.includes(0);
        mask.push(bytes);
      }
      mask.end();
      members.push({ entry, found: mask.found, isBinary });
    }
    return members;
  });
}

/** The same entries in the same order, with their times, modes and ways of packing. */
async function rewrite(file: string, members: readonly Member[], secrets: readonly string[]): Promise<FileContent> {
  return withArchive(file, (archive) =>
    writeWholeFrom(file, (save) => {
      const written = new ZipWriter();
      for (const member of members) add(written, member, { archive, secrets });
      const output = written.outputStream as Readable;
      written.on('error', (error: Error) => output.destroy(error));
      written.end();
      return save(output as AsyncIterable<Uint8Array>);
    }),
  );
}

function add(
  written: ZipWriter,
  { entry, found, isBinary }: Member,
  { archive, secrets }: { readonly archive: ZipReader; readonly secrets: readonly string[] },
): void {
  const name = entry.fileName;
  const mode = entry.externalFileAttributes >>> 16;
  const about = { mtime: entry.getLastModDate(), ...(mode === 0 ? {} : { mode }) };
  if (name.endsWith('/')) return written.addEmptyDirectory(name, about);
  const keepLength = isBinary;
  const size = found === 0 || keepLength ? { size: entry.uncompressedSize } : {};
  written.addReadStreamLazy(name, { ...about, ...size, compress: entry.compressionMethod !== 0 }, (give) => {
    archive.openReadStreamPromise(entry).then(
      (stream) => give(null, Readable.from(masked(stream, new ByteMask(secrets, { keepLength })))),
      (error: Error) => give(error, undefined as never),
    );
  });
}

async function* masked(source: AsyncIterable<unknown>, mask: ByteMask): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield mask.push(chunk as Buffer);
  yield mask.end();
}
