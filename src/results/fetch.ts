import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { inLanes } from '../home/lanes';
import type { LeptonClient } from '../lepton/types';
import { maskFile } from './mask-file';
import { openJournal, originalOf, type HomeFile, type Journal } from './journal';
import { readRemoteTree, UnusableFolder, type RemoteFile, type RemoteTree } from './remote-tree';
import { finishFolder, makeFolder } from './target-folder';
import { draftFor } from './whole-file';

export interface FetchRequest {
  readonly client: Pick<LeptonClient, 'storage'>;
  readonly fileSystem: string;
  /** The task's folder, absolute in the file system. */
  readonly path: string;
  /** Absolute local folder. */
  readonly target: string;
  /** Masked in what comes home. */
  readonly secrets: readonly string[];
  /** Largest sum of file sizes that is fetched. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Called while listings and bytes come in. */
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

export interface FetchProgress {
  /** Files that are home. */
  readonly files: number;
  /** Bytes that came in so far. */
  readonly bytes: number;
}

export interface FetchedFolder {
  readonly files: number;
  readonly bytes: number;
  /** Absolute path of `manifest.json`: each file's size and sha256, and what was left behind on purpose. */
  readonly manifest: string;
}

/** The folder holds more than may be fetched. Scores come first: `results.yml` is home when it fits at all. */
export class ResultsTooLarge extends Error {
  override readonly name = 'ResultsTooLarge';
  constructor(
    readonly folder: string,
    readonly maxBytes: number,
    homeFiles: number,
    what = `more than the limit of ${maxBytes} bytes`,
  ) {
    super(`${folder} holds ${what}; ${homeFiles} files are home, the rest stays in storage`);
  }
}

/** Files under way at once: enough to hide a round trip, few enough for the platform. */
const lanes = 4;

/** Listings that may differ from the one before until the folder counts as still being written. */
const mostRounds = 4;

/**
 * Brings a task's storage folder home, whole and checked: lists it, streams each file to a draft that takes its place when
 * the size is right and its secrets are masked, lists again until nothing new shows up, and writes `manifest.json`. Files that an earlier, interrupted
 * call brought home unchanged are not fetched again. Caches, databases of caches and lock files stay behind.
 * `undefined` when there is no such folder. Rejects with `LeptonError`, `ResultsTooLarge`, `UnusableFolder`, or the
 * signal's reason.
 */
export async function fetchTaskResults(request: FetchRequest): Promise<FetchedFolder | undefined> {
  const { client, fileSystem, path: folder, target, signal } = request;
  const list = () =>
    readRemoteTree(client.storage, { fileSystem, folder, options: { signal }, onFolder: () => run.progress() });
  const run = new FetchRun(request);

  let tree = await list();
  if (tree === undefined) return undefined;
  await makeFolder(target, '');
  await run.begin();
  for (let round = 1; ; round += 1) {
    await run.fetchAll(tree.files);
    const again = await list();
    const stale = await run.forgetStale(tree.files);
    if (stale === 0 && again !== undefined && samePaths(tree, again)) break;
    if (again === undefined || round === mostRounds) {
      throw new UnusableFolder(`${folder}: its content changes while it is read: something still writes there`);
    }
    tree = again;
  }
  return run.finish(tree);
}

const samePaths = (one: RemoteTree, other: RemoteTree): boolean =>
  one.files.length === other.files.length && one.files.every(({ local }, at) => local === other.files[at]?.local);

/** One call of `fetchTaskResults`: what is home, and how much came in. */
class FetchRun {
  private readonly home = new Map<string, HomeFile>();
  private bytes = 0;
  private journal: Journal | undefined;

  constructor(private readonly request: FetchRequest) {}

  async begin(): Promise<void> {
    this.journal = await openJournal(this.request.target);
  }

  progress(): void {
    this.request.onProgress?.({ files: this.home.size, bytes: this.bytes });
  }

  /** Drops what has another size on the platform than at home; the number of such files. */
  async forgetStale(files: readonly RemoteFile[]): Promise<number> {
    const { client, fileSystem, signal } = this.request;
    let stale = 0;
    await inLanes(files, lanes, async ({ local, remote }) => {
      signal?.throwIfAborted();
      const size = await client.storage.size(fileSystem, remote, { signal });
      this.progress();
      const record = this.home.get(local);
      if (record === undefined || size === undefined || size === originalOf(record).size) return;
      this.home.delete(local);
      this.journal?.forget(local);
      this.bytes -= originalOf(record).size;
      stale += 1;
    });
    return stale;
  }

  /** The first file alone, then a few at a time: the scores must not race for the last bytes of the limit. */
  async fetchAll(files: readonly RemoteFile[]): Promise<void> {
    const queue = files.filter(({ local }) => !this.home.has(local));
    const first = queue.shift();
    if (first) await this.bringHome(first);
    await inLanes(queue, lanes, (file) => this.bringHome(file));
  }

  async finish(tree: RemoteTree): Promise<FetchedFolder> {
    const { fileSystem, path: folder, target } = this.request;
    const files = tree.files.flatMap(({ local }) => this.home.get(local) ?? []);
    const fetched = await finishFolder(target, { source: { fileSystem, path: folder }, files, skipped: tree.skipped });
    await this.journal?.close();
    return fetched;
  }

  private async bringHome(file: RemoteFile): Promise<void> {
    this.request.signal?.throwIfAborted();
    const record = (await this.reuse(file)) ?? (await this.download(file));
    this.home.set(file.local, record);
    this.progress();
  }

  /** What an earlier call brought home. Whether it is still the same on the platform is asked in the end, as for all. */
  private async reuse({ local }: RemoteFile): Promise<HomeFile | undefined> {
    const record = await this.journal?.intact(local);
    if (record) this.count(originalOf(record).size);
    return record;
  }

  private async download({ local, remote }: RemoteFile): Promise<HomeFile> {
    const { client, fileSystem, target, secrets, signal } = this.request;
    await makeFolder(target, path.posix.dirname(local));
    const file = path.join(target, local);
    const draft = draftFor(file);
    try {
      const original = await this.stream(client.storage.read(fileSystem, remote, { signal }), draft);
      const masked = await maskFile(draft, secrets);
      const record = { path: local, ...(masked ? { ...masked, original } : original) };
      await rename(draft, file);
      await this.journal?.add(record);
      return record;
    } finally {
      await rm(draft, { force: true });
    }
  }

  private async stream(source: AsyncIterable<Uint8Array>, draft: string): Promise<{ size: number; sha256: string }> {
    const handle = await open(draft, 'wx');
    try {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of source) {
        this.count(chunk.byteLength);
        size += chunk.byteLength;
        hash.update(chunk);
        await handle.writeFile(chunk);
        this.progress();
      }
      await handle.sync();
      return { size, sha256: hash.digest('hex') };
    } finally {
      await handle.close();
    }
  }

  private count(bytes: number): void {
    this.bytes += bytes;
    const { path: folder, maxBytes } = this.request;
    if (this.bytes > maxBytes) throw new ResultsTooLarge(folder, maxBytes, this.home.size);
  }
}
