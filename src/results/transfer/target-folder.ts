import { lstat, mkdir, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { makeFolders } from '../../support/make-folders';
import type { FetchedFolder } from './fetch';
import type { FetchedFile } from './journal';
import { UnusableFolder } from './remote-tree';
import { notHomeInWords, skippedByName, type NotHome } from './skip-rules';
import { isDraft, writeJson } from '../../support/atomic-file';

/** The local folder for a task's results. */

/** Creates missing folders one by one; refuses links, which could lead out of the target. */
export async function makeFolder(target: string, relative: string): Promise<void> {
  await makeFolders(target);
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
  readonly files: readonly FetchedFile[];
  /** Not fetched on purpose. */
  readonly skipped: readonly NotHome[];
  /** Could not be fetched, and stays in storage. */
  readonly left: readonly NotHome[];
}

/** Returns the files of which only a note, or a part, was fetched: the originals stay in storage. */
const withheldOf = (files: readonly FetchedFile[]): NotHome[] =>
  files.flatMap(({ path: file, withheld }) => (withheld === undefined ? [] : [{ path: file, reason: withheld }]));

/** Longer than the logs of an endpoint or a job take to be saved (workflows/activity-groups.ts), milliseconds. */
const longestSaveMs = 900_000;

/** Whether a draft is of a killed call. Logs are saved while results are fetched: a recent draft among them may be one of these. */
async function isLeftBehind(target: string, draft: string): Promise<boolean> {
  const [folder] = path.relative(target, draft).split(path.sep);
  if (folder !== 'logs') return true;
  const found = await stat(draft).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > longestSaveMs;
}

/** Writes `manifest.json` (size and sha256 of each file), removes drafts of killed calls, and returns a summary. */
export async function finishFolder(
  target: string,
  { source, files, skipped, left: notHome }: Manifest,
): Promise<FetchedFolder> {
  const left = [...notHome, ...withheldOf(files)];
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const manifest = path.join(target, 'manifest.json');
  const content = { version: 1, source, fetchedAt: new Date().toISOString(), bytes, files, skipped, left };
  await writeJson(manifest, content);
  for (const entry of await readdir(target, { withFileTypes: true, recursive: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && isDraft(entry.name) && (await isLeftBehind(target, file))) await rm(file, { force: true });
  }
  return {
    files: files.length,
    bytes,
    manifest,
    skipped: skipped.filter(({ reason }) => reason === skippedByName).map((one) => one.path),
    incomplete:
      left.length === 0
        ? null
        : `${files.length} files of ${source.path} are home, and the rest stays in storage: ${notHomeInWords(left)}`,
  };
}
