import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes a folder and those above it that are missing. Node's own recursive `mkdir` never returns where the system says of
 * a folder that exists that nothing is there, as below `/proc`; this one rejects with that error (`ENOENT`).
 */
export async function makeFolders(folder: string, options: { readonly mode?: number } = {}): Promise<void> {
  if (await made(folder, options)) return;
  const parent = path.dirname(folder);
  if (parent !== folder) await makeFolders(parent, options);
  await mkdir(folder, options).catch(async (error: unknown) => {
    if (!(await isFolder(folder))) throw error;
  });
}

/** `false`: a folder above it is missing. */
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
