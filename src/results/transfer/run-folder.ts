import path from 'node:path';
import type { StoragePlan } from '../../contract/plan';
import type { LeptonClient } from '../../lepton/types';

/** Content of a run's folder that isn't the run's own, or that wasn't fetched. It is never deleted. */

/** Maximum number of folders searched for a file; a folder that contains more is assumed to hold one. */
const mostFolders = 200;

/** A folder was not removed, because it holds something that wasn't fetched. */
export class NotHome extends Error {
  override readonly name = 'NotHome';
}

type Place = Pick<StoragePlan, 'fileSystem' | 'path'>;

/**
 * Returns the names of entries that are not among `expected`, if they are files or contain any. Empty folders don't count: a
 * mount inside the run's own mount leaves one behind. `undefined`: there is no such folder.
 */
export async function unexpectedEntries(
  client: LeptonClient,
  place: Place,
  expected: readonly string[],
): Promise<string[] | undefined> {
  const entries = await client.storage.list(place.fileSystem, place.path);
  if (entries === undefined) return undefined;
  const found: string[] = [];
  for (const { name, type } of entries) {
    if (expected.includes(name)) continue;
    const inside = { ...place, path: path.posix.join(place.path, name) };
    if (type !== 'dir' || (await holdsFiles(client, inside))) found.push(name);
  }
  return found;
}

/** Whether the folder holds anything other than folders, at any depth. */
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

/** Returns the reason for keeping a folder, with the first three names. `count`: the number of all names. Pure. */
export function notHomeText(folder: string, names: readonly string[], count = names.length): string {
  const shown = names.slice(0, 3).map((name) => name.slice(0, 100));
  const more = count > shown.length ? ` and ${count - shown.length} more` : '';
  return `storage ${folder} holds ${shown.join(', ')}${more}, which has not come home`;
}
