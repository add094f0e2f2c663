import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { getFileNameLowLevel, openPromise, type Entry, type ZipFile as ZipReader } from 'yauzl';
import { ZipFile as ZipWriter } from 'yazl';
import { maskOf } from './masking';
import type { ArchiveLimits } from './limits';
import { search, TooLarge, type Found } from './search';
import { withheldNote, withheldReason, withhold, type MaskedContent, type WithheldBecause } from './withheld';
import { ByteMask } from './byte-mask';
import { streamAtomically } from '../support/atomic-file';

/** Masks secrets in zip archives (also `.npz`, `.pt`, `.xlsx`): an archive that contains any is rewritten. */

export type MaskedZip =
  | { readonly kind: 'clean' }
  | { readonly kind: 'masked'; readonly content: MaskedContent }
  /** The file only begins like a zip archive. */
  | { readonly kind: 'no zip' };

/**
 * Masks the archive in place, streaming, so that memory doesn't grow with its size. An entry that can't be opened, or the whole
 * archive, is replaced by a note. Encrypted entries can't hold readable secrets and are kept.
 */
export async function maskZip(file: string, secrets: readonly string[], limits: ArchiveLimits): Promise<MaskedZip> {
  try {
    const members = await membersOf(file, secrets, limits);
    // Secrets may also be between the entries, e.g. in comments.
    const isClean = members.every(({ content }) => content === 'encrypted' || isHarmless(content));
    if (isClean && (await search(createReadStream(file), secrets)).secrets === 0) return { kind: 'clean' };
    return { kind: 'masked', content: await rewrite(file, members, secrets) };
  } catch (error) {
    const because = reasonOf(error);
    if (because === undefined) throw error;
    if (because === 'damaged' && !(await hasEntryAtStart(file))) return { kind: 'no zip' };
    return { kind: 'masked', content: await withhold(file, { packed: 'zip', because }) };
  }
}

class TooManyEntries extends Error {}

function reasonOf(error: unknown): WithheldBecause | undefined {
  if (error instanceof TooLarge) return 'too large';
  if (error instanceof TooManyEntries) return 'too many entries';
  return isOfArchive(error) ? 'damaged' : undefined;
}

/** Errors of the zip reader have no code; those of the file system do. */
const isOfArchive = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || code.startsWith('Z_');
};

/** Compression methods in use: with any other, this is no entry. */
const methods = new Set([0, 8, 9, 12, 14, 93, 95, 98, 99]);

async function hasEntryAtStart(file: string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(30), 0, 30, 0);
    return bytesRead === 30 && methods.has(buffer.readUInt16LE(8)) && buffer.readUInt16LE(26) > 0;
  } finally {
    await handle.close();
  }
}

interface Member {
  readonly entry: Entry;
  readonly name: string;
  readonly content: Found | 'encrypted' | Extract<WithheldBecause, 'damaged' | 'packed in an unknown way'>;
}

const isHarmless = (content: Member['content']): boolean => typeof content === 'object' && content.secrets === 0;

async function withArchive<T>(file: string, work: (archive: ZipReader) => Promise<T>): Promise<T> {
  // Names are decoded here: the reader refuses `/x` and `../x`, which other tools read.
  const archive = await openPromise(file, { autoClose: false, lazyEntries: true, decodeStrings: false });
  try {
    return await work(archive);
  } finally {
    archive.close();
  }
}

async function membersOf(file: string, secrets: readonly string[], limits: ArchiveLimits): Promise<readonly Member[]> {
  return withArchive(file, async (archive) => {
    if (archive.entryCount > limits.mostEntries) throw new TooManyEntries('too many entries');
    const members: Member[] = [];
    let left = limits.mostUnpacked;
    for await (const entry of archive.eachEntry()) {
      const { generalPurposeBitFlag, fileNameRaw, extraFields } = entry;
      const name = getFileNameLowLevel(generalPurposeBitFlag, fileNameRaw, extraFields, false);
      const content = await contentOf(archive, entry, { secrets, most: left });
      if (typeof content === 'object') left -= content.bytes;
      members.push({ entry, name, content });
    }
    return members;
  });
}

async function contentOf(
  archive: ZipReader,
  entry: Entry,
  { secrets, most }: { readonly secrets: readonly string[]; readonly most: number },
): Promise<Member['content']> {
  if (entry.isEncrypted()) return 'encrypted';
  if (!entry.canDecodeFileData()) return 'packed in an unknown way';
  try {
    return await search((await archive.openReadStreamPromise(entry)) as AsyncIterable<Buffer>, secrets, most);
  } catch (error) {
    if (error instanceof TooLarge || !isOfArchive(error)) throw error;
    return 'damaged';
  }
}

/** The same entries in the same order, with their times, modes and ways of packing. */
async function rewrite(file: string, members: readonly Member[], secrets: readonly string[]): Promise<MaskedContent> {
  const content = await withArchive(file, (archive) =>
    streamAtomically(file, (save) => {
      const written = new ZipWriter();
      const mask = maskOf(secrets);
      const nameFor = distinct((name) => mask(innerName(name)));
      for (const member of members) add(written, { ...member, name: nameFor(member.name) }, { archive, secrets });
      const output = written.outputStream as Readable;
      written.on('error', (error: Error) => output.destroy(error));
      written.end();
      return save(output as AsyncIterable<Uint8Array>);
    }),
  );
  const [first] = members.flatMap((member) => whyWithheld(member) ?? []);
  return first === undefined ? content : { ...content, withheld: withheldReason(first, 'a part of it') };
}

/** Why a note takes the entry's place; `undefined`: none does. */
const whyWithheld = ({ content }: Pick<Member, 'content'>): WithheldBecause | undefined =>
  typeof content === 'object' ? undefined : content === 'encrypted' ? 'packed in an unknown way' : content;

function add(
  written: ZipWriter,
  { entry, name, content }: Member,
  { archive, secrets }: { readonly archive: ZipReader; readonly secrets: readonly string[] },
): void {
  const mode = entry.externalFileAttributes >>> 16;
  const about = { mtime: entry.getLastModDate(), ...(mode === 0 ? {} : { mode }) };
  if (name.endsWith('/')) return written.addEmptyDirectory(name, about);
  if (typeof content !== 'object') {
    const because = whyWithheld({ content }) ?? 'damaged';
    return written.addBuffer(Buffer.from(withheldNote(`\`${name}\``, because)), `${name}.withheld.txt`, about);
  }
  const keepLength = content.isBinary;
  const size = content.secrets === 0 || keepLength ? { size: content.bytes } : {};
  written.addReadStreamLazy(name, { ...about, ...size, compress: entry.compressionMethod !== 0 }, (give) => {
    archive.openReadStreamPromise(entry).then(
      (stream) => give(null, Readable.from(masked(stream, new ByteMask(secrets, { keepLength })))),
      (error: Error) => give(error, undefined as never),
    );
  });
}

/** A name that stays within the archive's folder. */
function innerName(name: string): string {
  const parts = name
    .replace(/^([A-Za-z]):/, '$1_')
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .map((part) => (part === '..' ? '_' : part));
  const path = parts.length === 0 ? '_' : parts.join('/');
  return name.endsWith('/') ? `${path}/` : path;
}

/** Names that differ may come to the same. */
function distinct(change: (name: string) => string): (name: string) => string {
  const given = new Map<string, string>();
  return (name) => {
    let result = change(name);
    while (!result.endsWith('/') && (given.get(result) ?? name) !== name) result = `${result}_`;
    given.set(result, name);
    return result;
  };
}

async function* masked(source: AsyncIterable<unknown>, mask: ByteMask): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield mask.push(chunk as Buffer);
  yield mask.end();
}
