import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { isInStore } from '../../contract/results-place';
import { copyFromStore, type Copied } from './local-copy';
import { openStore } from './open-store';
import type { ResultsStore, StoreEnv } from './store';

/** The results of a task of an earlier run, wherever they are. */
export interface EarlierResults {
  /** Place of the run: a folder of this machine, or in a store. */
  readonly place: string;
  /** The task's folder there. */
  readonly folder: string;
  readonly env: StoreEnv;
}

/**
 * Copies files of an earlier task's folder, each checked by size and by the sha256 that the folder's manifest has. Rejects with
 * `StoreError` for a damaged one.
 */
export async function copyEarlierResults(
  { place, folder, env }: EarlierResults,
  to: {
    /** Absolute. */
    readonly target: string;
    readonly only: (relative: string) => boolean;
    readonly signal: AbortSignal;
  },
): Promise<Copied> {
  const { target, only, signal } = to;
  const store = below(await openStore(isInStore(place) ? place : pathToFileURL(place).href, env), folder);
  return copyFromStore({ store, folder: target, only, signal });
}

/** The part of a store below one of its folders. For reading only. */
function below(store: ResultsStore, folder: string): ResultsStore {
  const inner = (relative: string): string => path.posix.join(folder, relative);
  return {
    ...store,
    place: `${store.place}/${folder}`,
    list: async (options) =>
      (await store.list(options)).flatMap((file) =>
        file.path.startsWith(`${folder}/`) ? [{ ...file, path: file.path.slice(folder.length + 1) }] : [],
      ),
    describe: (relative, options) => store.describe(inner(relative), options),
    read: (relative, options) => store.read(inner(relative), options),
  };
}
