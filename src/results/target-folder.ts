import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { UnusableFolder } from './remote-tree';
import type { HomeFile } from './journal';
import { isDraft, writeWholeJson } from './whole-file';

/** The local folder that a task's results come home to. */

/** Makes each missing folder; one that is a link would lead out of the target, and is refused. */
export async function makeFolder(target: string, relative: string): Promise<void> {
  await mkdir(target, { recursive: true });
  let folder = target;
  for (const part of relative.split('/').filter((name) => name !== '' && name !== '.')) {
    folder = path.join(folder, part);
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    if (!(await lstat(folder)).isDirectory())
      throw new UnusableFolder(`${folder}: is in the way: a folder belongs there`);
  }
}

export interface Manifest {
  readonly source: { readonly fileSystem: string; readonly path: string };
  readonly files: readonly HomeFile[];
  /** Left behind on purpose. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

/** Writes `manifest.json` (size and sha256 of each file), drops what killed calls left half-written, and sums up. */
export async function finishFolder(
  target: string,
  { source, files, skipped }: Manifest,
): Promise<{ files: number; bytes: number; manifest: string }> {
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const manifest = path.join(target, 'manifest.json');
  await writeWholeJson(manifest, { version: 1, source, fetchedAt: new Date().toISOString(), bytes, files, skipped });
  for (const entry of await readdir(target, { withFileTypes: true, recursive: true })) {
    if (entry.isFile() && isDraft(entry.name)) await rm(path.join(entry.parentPath, entry.name), { force: true });
  }
  return { files: files.length, bytes, manifest };
}
