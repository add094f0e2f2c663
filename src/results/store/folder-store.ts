import { createReadStream } from 'node:fs';
import { lstat, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { contentOfFile, isDraft, streamAtomically } from '../../support/atomic-file';
import { localFault } from '../../support/local-fault';
import { messageOf } from '../../support/error-message';
import type { PutContent, ResultsStore, StoredFile } from './store';
import { StoreError } from './store-error';

/** A store in a folder of a file system that all machines share. */
export function folderStore(root: string): ResultsStore {
  const at = (relative: string): string => path.join(root, relative);
  return {
    place: root,
    list: () => guarded(root, () => filesIn(root)),
    describe: (relative) =>
      guarded(root, async () => {
        const found = await orAbsent(lstat(at(relative)));
        return found?.isFile() ? { path: relative, ...(await contentOfFile(at(relative))) } : undefined;
      }),
    put: (content, record) =>
      guarded(root, async () => {
        await streamAtomically(at(record.path), (save) => save(bytesOf(content)));
        const written = await contentOfFile(at(record.path));
        if (written.sha256 !== record.sha256 || written.size !== record.size)
          throw new StoreError('damaged', `${at(record.path)} does not hold what was written to it`);
      }),
    read: (relative) =>
      guarded(root, async () => {
        const found = await orAbsent(stat(at(relative)));
        return found?.isFile() ? { sha256: undefined, content: createReadStream(at(relative)) } : undefined;
      }),
    remove: (relative) => guarded(root, () => rm(at(relative), { force: true })),
    // Its unfinished files are drafts, which the next write of the same folder removes.
    endStaleUploads: () => Promise.resolve(0),
  };
}

async function* bytesOf(content: PutContent): AsyncGenerator<Uint8Array> {
  if ('bytes' in content) yield content.bytes;
  else yield* createReadStream(content.file) as AsyncIterable<Buffer>;
}

async function filesIn(root: string): Promise<StoredFile[]> {
  const entries = (await orAbsent(readdir(root, { withFileTypes: true, recursive: true }))) ?? [];
  const files = entries.filter((entry) => entry.isFile() && !isDraft(entry.name));
  const found = await Promise.all(
    files.map(async (entry): Promise<StoredFile[]> => {
      const file = path.join(entry.parentPath, entry.name);
      const known = await orAbsent(stat(file));
      return known ? [{ path: path.relative(root, file).split(path.sep).join('/'), size: known.size }] : [];
    }),
  );
  return found.flat();
}

async function orAbsent<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

async function guarded<T>(root: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const fault = localFault(error);
    const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
    const kind = isFull ? 'full' : fault ? 'refused' : 'unavailable';
    throw new StoreError(kind, `results store ${root}: ${fault?.reason ?? messageOf(error)}`, { cause: error });
  }
}
