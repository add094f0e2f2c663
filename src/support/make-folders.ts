import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes a folder and its missing parents. Node's recursive `mkdir` never returns below `/proc`, where the system answers
 * `ENOENT` although the parent exists; this one rejects with that error.
 */
export async function makeFolders(folder: string, options: { readonly mode?: number } = {}): Promise<void> {
  if (await made(folder, options)) return;
  const parent = path.dirname(folder);
  if (parent !== folder) await makeFolders(parent, options);
  await mkdir(folder, options).catch(async (error: unknown) => {
    if (!(await isFolder(folder))) throw error;
  });
}

/** Returns `false` if a parent is missing. */
async function made(folder: string, options: { readonly mode?: number }): Promise<boolean> {
  try {
    await mkdir(folder, options);
    return true;
  } catch (error) {
    if (await isFolder(folder)) return true;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

const isFolder = (folder: string): Promise<boolean> =>
  stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
