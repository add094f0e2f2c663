import path from 'node:path';
import type { StoragePlan } from '../../contract/plan';
import type { LeptonClient } from '../../lepton/types';

/** Content of a run's folder that isn't the run's, or that wasn't fetched: it is never deleted. */

/** Folders searched for a first file; a folder with more is taken to hold one. */
const mostFolders = 200;

/** A folder that was to be removed holds something that wasn't fetched, and wasn't removed. */
export class NotHome extends Error {
  override readonly name = 'NotHome';
}

type Place = Pick<StoragePlan, 'fileSystem' | 'path'>;

/**
 * Returns the names of entries that are not among `expected`, if they are files or contain any. Empty folders don't count: a
 * mount inside the run's own mount leaves one.
 */
export async function unexpectedEntries(
  client: LeptonClient,
  place: Place,
  expected: readonly string[],
): Promise<string[]> {
  const entries = (await client.storage.list(place.fileSystem, place.path)) ?? [];
  const found: string[] = [];
  for (const { name, type } of entries) {
    if (expected.includes(name)) continue;
    const inside = { ...place, path: path.posix.join(place.path, name) };
    if (type !== 'dir' || (await holdsFiles(client, inside))) found.push(name);
  }
  return found;
}

/** Whether there is anything but folders in the folder, at any depth. */
export async function holdsFiles(client: LeptonClient, place: Place): Promise<boolean> {
  const open = [place.path];
  for (let searched = 0; searched < mostFolders; searched += 1) {
    const folder = open.shift();
    if (folder === undefined) return false;
    for (const { name, type } of (await client.storage.list(place.fileSystem, folder)) ?? []) {
      if (type !== 'dir') return true;
      open.push(path.posix.join(folder, name));
    }
  }
  return true;
}

/** Returns the reason why a folder is kept, with the first three names; `count`: of all of them. Pure. */
export function notHomeText(folder: string, names: readonly string[], count = names.length): string {
  const shown = names.slice(0, 3).map((name) => name.slice(0, 100));
  const more = count > shown.length ? ` and ${count - shown.length} more` : '';
  return `storage ${folder} holds ${shown.join(', ')}${more}, which has not come home`;
}
