import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { makeFolders } from './make-folders';

/** Access rights of what is written; the system's defaults where they are not given. */
export interface FileModes {
  readonly file?: number;
  /** Of folders that are made for the file. */
  readonly folder?: number;
}

/**
 * Writes a file so that readers see either the old content or all of the new, also after a crash: `write` fills a draft beside
 * the file, which then replaces it. A draft is removed if that fails; a killed process leaves one (see `isDraft`). Makes missing
 * folders.
 */
export async function writeAtomically<T>(
  file: string,
  write: (draft: FileHandle) => Promise<T>,
  modes: FileModes = {},
): Promise<T> {
  const draft = draftFor(file);
  const handle = await openDraft(draft, modes);
  try {
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

/** Its folder nearly always exists already: asking first would cost two calls per file. */
async function openDraft(draft: string, { file, folder }: FileModes): Promise<FileHandle> {
  try {
    return await open(draft, 'wx+', file);
  } catch {
    await makeFolders(path.dirname(draft), folder === undefined ? {} : { mode: folder });
    return open(draft, 'wx+', file);
  }
}

/** What a file holds. */
export interface FileContent {
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Reads a file, and returns its size and sha256. */
export async function contentOfFile(file: string): Promise<FileContent> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, sha256: hash.digest('hex') };
}

export type Save = (source: AsyncIterable<Uint8Array>) => Promise<void>;

/** Like `writeAtomically`, for content that streams: `write` passes it to `save`. Returns what the file holds. */
export async function streamAtomically(file: string, write: (save: Save) => Promise<void>): Promise<FileContent> {
  return writeAtomically(file, async (draft) => {
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

/** Writes a value as JSON, atomically. */
export async function writeJson(file: string, value: unknown, modes: FileModes = {}): Promise<void> {
  const write = async (draft: FileHandle): Promise<void> => {
    try {
      await draft.writeFile(`${JSON.stringify(value, null, 2)}\n`);
    } catch (error) {
      // The error of a full disk names no file.
      throw Object.assign(error as NodeJS.ErrnoException, { path: file });
    }
  };
  await writeAtomically(file, write, modes);
}

/** Writes a value as JSON, atomically; only the owner can read the file and the folders that are made for it. */
export const writePrivateJson = (file: string, value: unknown): Promise<void> =>
  writeJson(file, value, { file: 0o600, folder: 0o700 });

/** A file doesn't hold what this program writes there. The message never quotes the content, which may be secret. */
export class UnreadableFile extends Error {
  override readonly name = 'UnreadableFile';
}

/** Returns the parsed file, or `undefined` if there is none. Throws `UnreadableFile` if it isn't JSON. */
export async function readJsonFile(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new UnreadableFile(`${file} is damaged: it isn't JSON`);
  }
}

/** Returns an unused name in the folder of `file`: `.<name>.<random>.draft`. */
export function draftFor(file: string): string {
  const { dir, base } = path.parse(file);
  return path.join(dir, `.${base.slice(0, 40)}.${randomBytes(6).toString('hex')}.draft`);
}

/** Whether a file name is one that `draftFor` returns. */
export const isDraft = (name: string): boolean => /^\..*\.[0-9a-f]{12}\.draft$/.test(name);
