import { createHash, randomBytes } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { makeFolders } from './make-folders';

/**
 * Writes a file so that it is there whole or not at all: `write` fills a draft beside it, which then takes its place.
 * A draft that fails is removed; one that a killed process left behind is named `.<name>.<random>.draft`.
 */
export async function writeWhole<T>(file: string, write: (draft: FileHandle) => Promise<T>): Promise<T> {
  await makeFolders(path.dirname(file));
  const draft = draftFor(file);
  try {
    const handle = await open(draft, 'wx+');
    let result: T;
    try {
      result = await write(handle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
    return result;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** What a file holds. */
export interface FileContent {
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export type Save = (source: AsyncIterable<Uint8Array>) => Promise<void>;

/** The same for content that streams: `write` gives it all to `save`. Resolves to what the file holds then. */
export async function writeWholeFrom(file: string, write: (save: Save) => Promise<void>): Promise<FileContent> {
  return writeWhole(file, async (draft) => {
    const hash = createHash('sha256');
    let size = 0;
    await write(async (source) => {
      for await (const chunk of source) {
        hash.update(chunk);
        size += chunk.length;
        await draft.writeFile(chunk);
      }
    });
    return { size, sha256: hash.digest('hex') };
  });
}

/** A name in the same folder that nobody else uses. */
export function draftFor(file: string): string {
  const { dir, base } = path.parse(file);
  return path.join(dir, `.${base.slice(0, 40)}.${randomBytes(6).toString('hex')}.draft`);
}

/** Whether a file name is that of a draft. */
export const isDraft = (name: string): boolean => /^\..*\.[0-9a-f]{12}\.draft$/.test(name);

/** JSON, whole or not at all. */
export async function writeWholeJson(file: string, value: unknown): Promise<void> {
  await writeWhole(file, (draft) => draft.writeFile(`${JSON.stringify(value, null, 2)}\n`));
}
