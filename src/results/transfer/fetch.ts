import type { LeptonClient, StorageEntry } from '../../lepton/types';
import { fetchArchive, type Archive } from './archive';
import { FetchRun } from './fetch-run';
import type { Journal } from './journal';
import { firstFilesOf, readRemoteTree, UnusableFolder, type RemoteTree, type TreeBounds } from './remote-tree';
import { makeFolder } from './target-folder';
import { Unpacking, withFiles } from './unpacking';

export interface FetchRequest {
  readonly client: Pick<LeptonClient, 'storage'>;
  readonly fileSystem: string;
  /** The task's folder, absolute in the file system. */
  readonly path: string;
  /** Absolute local folder. */
  readonly target: string;
  /** Masked in the local files. */
  readonly secrets: readonly string[];
  /** Largest sum of file sizes that is fetched. */
  readonly maxBytes: number;
  /** Default: `boundsOfRun`. */
  readonly bounds?: TreeBounds | undefined;
  /** Names that are not fetched on purpose. Default: `defaultSkips`. */
  readonly skip?: readonly string[] | undefined;
  /** See `TreeRequest`. */
  readonly only?: readonly string[] | undefined;
  /**
   * Its writer is known to have ended. Then the size of a file that came whole is not asked for again; the list of names still is.
   * Default: false.
   */
  readonly isSettled?: boolean | undefined;
  /** Its writer was told to pack the files into an archive, which is read first. Only with `isSettled`. Default: false. */
  readonly isPacked?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Opens the journal of the files that are fetched. Default: one in the target. */
  readonly openJournal?: ((target: string) => Promise<Journal>) | undefined;
  /** Called as listings and bytes arrive. */
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

export interface FetchProgress {
  /** Files that are complete. */
  readonly files: number;
  /** Bytes received so far. */
  readonly bytes: number;
}

export interface FetchedFolder {
  readonly files: number;
  readonly bytes: number;
  /** Absolute path of `manifest.json`: each file's size and sha256, and what was not fetched. */
  readonly manifest: string;
  /** Paths that were not fetched because of `execution.skip_results`. */
  readonly skipped: readonly string[];
  /** Why not everything was fetched (size limit, too deep, too many); `null`: everything was. */
  readonly incomplete: string | null;
}

/** Changed listings after which the folder counts as still being written. */
const maxRounds = 4;

/**
 * Fetches and verifies a task's storage folder: scores first, then small files, then large ones as long as they fit. Each file is
 * written to a draft, which is renamed once its size is right and its secrets are masked. Lists the folder again until nothing
 * has changed, and writes `manifest.json`. Does not fetch again what an interrupted call has fetched. What does not fit stays in
 * storage, and `incomplete` says so.
 * With an archive, a single listing after it has come proves that nothing else is there; what it lacks is fetched as usual.
 * Resolves to `undefined` if there is no such folder. Rejects with `LeptonError`, `UnusableFolder`, or the signal's reason.
 */
export async function fetchTaskResults(request: FetchRequest): Promise<FetchedFolder | undefined> {
  const { isPacked, isSettled } = request;
  const archive = isPacked && isSettled ? await archiveOf(request) : undefined;
  try {
    return await fetchTree(request, archive);
  } finally {
    await archive?.close();
  }
}

function archiveOf(request: FetchRequest): Promise<Archive | undefined> {
  let bytes = 0;
  const onBytes = (more: number): void => request.onProgress?.({ files: 0, bytes: (bytes += more) });
  return fetchArchive({ ...request, onBytes });
}

async function fetchTree(request: FetchRequest, archive: Archive | undefined): Promise<FetchedFolder | undefined> {
  const { client, fileSystem, path: folder, target, signal, bounds, skip, only } = request;
  const unpacking = new Unpacking(archive, folder);
  const run = new FetchRun(request, unpacking);
  const where = { fileSystem, folder, options: { signal }, onFolder: () => run.progress(), bounds, skip, only };

  const list = async (known?: readonly StorageEntry[]): Promise<RemoteTree | undefined> => {
    const tree = await readRemoteTree(client.storage, where, known);
    return tree && archive ? withFiles(tree, [...archive.files.keys()], where) : tree;
  };
  const top = await client.storage.list(fileSystem, folder, { signal });
  if (top === undefined) return undefined;
  await makeFolder(target, '');
  await run.begin();
  if (only === undefined) await run.fetchAll(firstFilesOf(folder, top));
  let tree = await list(top);
  for (let round = 1; tree !== undefined; round += 1) {
    await run.fetchAll(tree.files);
    if (round === 1 && unpacking.isAll(tree.files)) return run.finish(tree);
    const again = await list();
    const stale = await run.forgetStale(tree.files);
    if (stale === 0 && again !== undefined && samePaths(tree, again)) return run.finish(tree);
    if (round === maxRounds) break;
    tree = again;
  }
  throw new UnusableFolder(`${folder}: its content changes while it is read: something is still writing there`);
}

const samePaths = (one: RemoteTree, other: RemoteTree): boolean =>
  one.files.length === other.files.length && one.files.every(({ local }, at) => local === other.files[at]?.local);
