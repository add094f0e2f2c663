import { createWriteStream } from 'node:fs';
import { readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { contentOfFile } from '../../support/atomic-file';
import type { ResultsStore } from './store';

/** Returns the new name of a file; `undefined`: it keeps its own. */
export type NewName = (name: string) => string | undefined;

/** Renames files of a folder, but never replaces one; resolves to the names that are there then. */
export async function renameIn(folder: string, newName: NewName): Promise<readonly string[]> {
  const there = new Set(await readdir(folder).catch(() => []));
  for (const [name, wanted] of renamings(there, newName)) {
    await rename(path.join(folder, name), path.join(folder, wanted));
    there.delete(name);
    there.add(wanted);
  }
  return [...there];
}

interface RenameRequest {
  readonly store: ResultsStore;
  /** Through which the files pass; it has them afterwards. */
  readonly folder: string;
  readonly newName: NewName;
  readonly signal: AbortSignal;
}

/** Does the same in a store: nothing is removed there before it is there under its new name. Rejects with `StoreError`. */
export async function renameInStore({ store, folder, newName, signal }: RenameRequest): Promise<readonly string[]> {
  const there = new Set((await store.list({ signal })).map((file) => file.path));
  for (const [name, wanted] of renamings(there, newName)) {
    const stored = await store.read(name, { signal });
    if (!stored) continue;
    const file = path.join(folder, wanted);
    await pipeline(stored.content, createWriteStream(file), { signal });
    await store.put({ file }, { path: wanted, ...(await contentOfFile(file)) }, { signal });
    await store.remove(name, { signal });
    there.delete(name);
    there.add(wanted);
  }
  return [...there];
}

const renamings = (there: ReadonlySet<string>, newName: NewName): (readonly [string, string])[] =>
  [...there].flatMap((name) => {
    const wanted = newName(name);
    return wanted === undefined || there.has(wanted) ? [] : [[name, wanted] as const];
  });
