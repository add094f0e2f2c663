import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { isInStore } from '../../contract/results-place';
import { contentOfFile, isDraft } from '../../support/atomic-file';
import { openJournal, type Journal } from '../transfer/journal';
import { openStore, sharedFolder } from './open-store';
import type { StoreEnv } from './store';
import { renameIn, renameInStore } from './rename-files';
import { UploadJournal } from './upload-journal';

/** A local folder to write to, whose content ends up at a place. */
export interface ResultsTarget {
  /** Absolute. */
  readonly folder: string;
  /** For messages. */
  readonly place: string;
  /** Journal of the files that are fetched to the folder. */
  readonly openJournal: (signal: AbortSignal) => Promise<Journal>;
  /**
   * Renames the files of the place for which `newName` returns a name that none of them has; resolves to the names that are there then.
   * Call it before anything is written to the folder.
   */
  rename(newName: (name: string) => string | undefined, signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Resolves once everything in the folder is at the place, checked by size and sha256; `manifest.json` comes last. Rejects with
   * `StoreError`. `isPartial`: what is here may be less than an earlier attempt has put there, and does not replace a larger file.
   */
  complete(signal: AbortSignal, options?: { readonly isPartial?: boolean }): Promise<void>;
}

export interface TargetSurroundings {
  /** Folder below which files wait until the store has them (`HomePaths.staging`). */
  readonly staging: string;
  readonly env: StoreEnv;
}

/**
 * Calls `work` with the local folder for a place: the place itself if it is a folder (of this machine, or shared), else a new
 * folder that is removed afterwards.
 */
export async function withTarget<T>(
  place: string,
  { staging, env }: TargetSurroundings,
  work: (target: ResultsTarget) => Promise<T>,
): Promise<T> {
  if (!isInStore(place) || place.startsWith('file://')) {
    const folder = isInStore(place) ? sharedFolder(place) : place;
    return work({
      folder,
      place: folder,
      openJournal: () => openJournal(folder),
      rename: (newName) => renameIn(folder, newName),
      complete: () => Promise.resolve(),
    });
  }
  await mkdir(staging, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(path.join(staging, `${process.pid}-`));
  try {
    return await work(await stagedTarget(place, folder, env));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function stagedTarget(place: string, folder: string, env: StoreEnv): Promise<ResultsTarget> {
  const store = await openStore(place, env);
  let journal: UploadJournal | undefined;
  return {
    folder,
    place,
    openJournal: async (signal) => (journal = await UploadJournal.open(store, folder, signal)),
    rename: (newName, signal) => renameInStore({ store, folder, newName, signal }),
    async complete(signal, { isPartial = false } = {}) {
      const there = isPartial
        ? new Map((await store.list({ signal })).map((file) => [file.path, file.size]))
        : undefined;
      for (const relative of await filesOf(folder)) {
        if (journal?.has(relative)) continue;
        const content = await contentOfFile(path.join(folder, relative));
        if ((there?.get(relative) ?? -1) >= content.size) continue;
        await store.put({ file: path.join(folder, relative) }, { path: relative, ...content }, { signal });
      }
    },
  };
}

const lastOfAll = 'manifest.json';

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries
    .filter((entry) => entry.isFile() && !isDraft(entry.name))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
  return files.sort((a, b) => Number(a === lastOfAll) - Number(b === lastOfAll));
}

/** Milliseconds after which waiting files count as left behind, whoever wrote them. */
const leftBehindMs = 2 * 86_400_000;

/** Removes what killed workers left in the staging folder. Call it when a worker starts. */
export async function clearStaging(staging: string): Promise<void> {
  for (const name of await readdir(staging).catch(() => [])) {
    const pid = Number(/^(\d+)-/.exec(name)?.[1]);
    const folder = path.join(staging, name);
    const found = await stat(folder).catch(() => undefined);
    // In a container that was started again, the process id may be the same.
    const isLeft = pid === process.pid || !isAlive(pid) || Date.now() - (found?.mtimeMs ?? 0) > leftBehindMs;
    if (isLeft) await rm(folder, { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
