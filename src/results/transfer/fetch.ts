import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { mapConcurrently } from '../../support/map-concurrently';
import type { LeptonClient } from '../../lepton/types';
import { maskFile } from '../../secrets/mask-file';
import { openJournal, originalOf, type HomeFile, type Journal } from './journal';
import {
  readFirstFiles,
  readRemoteTree,
  UnusableFolder,
  type RemoteFile,
  type RemoteTree,
  type TreeBounds,
} from './remote-tree';
import { finishFolder, makeFolder } from './target-folder';
import { draftFor, type FileContent } from '../../support/atomic-file';

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
  /** Default: `boundsOfRun`. */
  readonly bounds?: TreeBounds | undefined;
  /** Names that stay behind on purpose. Default: `defaultSkips`. */
  readonly skip?: readonly string[] | undefined;
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
  /** Absolute path of `manifest.json`: each file's size and sha256, and what was left behind. */
  readonly manifest: string;
  /** Left behind on purpose, `execution.skip_results`: paths. */
  readonly skipped: readonly string[];
  /** Why not everything is home: beyond the size limit, too deep, too many. `null`: everything is. */
  readonly incomplete: string | null;
}

/** The scores, however large, come before everything else. */
const scoresName = 'results.yml';

/** Files under way at once: enough to hide a round trip, few enough for the platform. */
const concurrency = 4;

/** Bytes from which on a file counts as large: it comes after all others, and only when it fits. */
const largeBytes = 8 * 1024 * 1024;
/** Files beyond the size limit after which no more are tried: each costs a request. */
const mostBeyond = 100;

/** Listings that may differ from the one before until the folder counts as still being written. */
const mostRounds = 4;

/**
 * Brings a task's storage folder home, checked: scores first, then small files, then large ones as long as they fit. Each
 * file streams to a draft that takes its place when the size is right and its secrets are masked. Lists again until
 * nothing new shows up, and writes `manifest.json`. Files that an earlier, interrupted call brought home unchanged are not
 * fetched again. What doesn't fit stays where it is, and `incomplete` says so.
 * `undefined` when there is no such folder. Rejects with `LeptonError`, `UnusableFolder`, or the signal's reason.
 */
export async function fetchTaskResults(request: FetchRequest): Promise<FetchedFolder | undefined> {
  const { client, fileSystem, path: folder, target, signal, bounds, skip } = request;
  const run = new FetchRun(request);
  const where = { fileSystem, folder, options: { signal }, onFolder: () => run.progress(), bounds, skip };

  const first = await readFirstFiles(client.storage, where);
  if (first === undefined) return undefined;
  await makeFolder(target, '');
  await run.begin();
  await run.fetchAll(first);
  let tree = await readRemoteTree(client.storage, where);
  for (let round = 1; tree !== undefined; round += 1) {
    await run.fetchAll(tree.files);
    const again = await readRemoteTree(client.storage, where);
    const stale = await run.forgetStale(tree.files);
    if (stale === 0 && again !== undefined && samePaths(tree, again)) return run.finish(tree);
    if (round === mostRounds) break;
    tree = again;
  }
  throw new UnusableFolder(`${folder}: its content changes while it is read: something still writes there`);
}

const samePaths = (one: RemoteTree, other: RemoteTree): boolean =>
  one.files.length === other.files.length && one.files.every(({ local }, at) => local === other.files[at]?.local);

/** One call of `fetchTaskResults`: what is home, and how much came in. */
class FetchRun {
  private readonly home = new Map<string, HomeFile>();
  /** Of the files at home. */
  private bytes = 0;
  /** That came in so far. */
  private streamed = 0;
  private readonly beyond = new Set<string>();
  private journal: Journal | undefined;

  constructor(private readonly request: FetchRequest) {}

  async begin(): Promise<void> {
    this.journal = await openJournal(this.request.target);
  }

  progress(): void {
    this.request.onProgress?.({ files: this.home.size, bytes: this.streamed });
  }

  /** Drops what has another size on the platform than at home; the number of such files. */
  async forgetStale(files: readonly RemoteFile[]): Promise<number> {
    const { client, fileSystem, signal } = this.request;
    let stale = 0;
    await mapConcurrently(files, concurrency, async ({ local, remote }) => {
      const record = this.home.get(local);
      if (record === undefined) return;
      signal?.throwIfAborted();
      const size = await client.storage.size(fileSystem, remote, { signal });
      this.progress();
      if (size === undefined || size === originalOf(record).size) return;
      this.home.delete(local);
      this.journal?.forget(local);
      this.bytes -= originalOf(record).size;
      stale += 1;
    });
    return stale;
  }

  /** The scores alone, then a few at a time: they must not race for the last bytes of the limit. */
  async fetchAll(files: readonly RemoteFile[]): Promise<void> {
    this.beyond.clear();
    const queue = files.filter(({ local }) => !this.home.has(local));
    if (queue[0]?.local === scoresName) await this.bringHome(queue[0], Infinity);
    const large: RemoteFile[] = [];
    const others = queue.filter(({ local }) => local !== scoresName);
    await mapConcurrently(others, concurrency, async (file) => {
      if ((await this.bringHome(file, largeBytes)) === 'large') large.push(file);
    });
    for (const { file, size } of await this.bySize(large)) {
      if (this.bytes + size > this.request.maxBytes) this.beyond.add(file.local);
      else await this.bringHome(file, Infinity);
    }
  }

  async finish(tree: RemoteTree): Promise<FetchedFolder> {
    const { fileSystem, path: folder, target, maxBytes } = this.request;
    const files = tree.files.flatMap(({ local }) => this.home.get(local) ?? []);
    const beyond = tree.files.filter(({ local }) => !this.home.has(local));
    const reason = `beyond the limit of ${maxBytes} bytes`;
    const left = [...beyond.map(({ local }) => ({ path: local, reason })), ...tree.left];
    const fetched = await finishFolder(target, {
      source: { fileSystem, path: folder },
      files,
      skipped: tree.skipped,
      left,
    });
    await this.journal?.close();
    return fetched;
  }

  private async bySize(files: readonly RemoteFile[]): Promise<{ file: RemoteFile; size: number }[]> {
    const { client, fileSystem, signal } = this.request;
    const measured = await mapConcurrently(files, concurrency, async (file) => ({
      file,
      size: (await client.storage.size(fileSystem, file.remote, { signal })) ?? largeBytes,
    }));
    return [...measured].sort((a, b) => a.size - b.size);
  }

  /** `large`: it has more bytes than `mostBytes`, and is for later. */
  private async bringHome(file: RemoteFile, mostBytes: number): Promise<'home' | 'large' | 'beyond'> {
    this.request.signal?.throwIfAborted();
    if (this.beyond.size >= mostBeyond) return 'beyond';
    const record = (await this.reuse(file)) ?? (await this.download(file, mostBytes));
    if (record === 'large') return record;
    const isBeyond = record === 'beyond' || this.bytes + originalOf(record).size > this.request.maxBytes;
    if (isBeyond) {
      this.beyond.add(file.local);
      return 'beyond';
    }
    this.bytes += originalOf(record).size;
    this.home.set(file.local, record);
    this.progress();
    return 'home';
  }

  /** What an earlier call brought home. Whether it is still the same on the platform is asked in the end, as for all. */
  private async reuse({ local }: RemoteFile): Promise<HomeFile | undefined> {
    return this.journal?.intact(local);
  }

  private async download({ local, remote }: RemoteFile, mostBytes: number): Promise<HomeFile | 'large' | 'beyond'> {
    const { client, fileSystem, target, secrets, signal } = this.request;
    await makeFolder(target, path.posix.dirname(local));
    const file = path.join(target, local);
    const draft = draftFor(file);
    try {
      const original = await this.stream(client.storage.read(fileSystem, remote, { signal }), { draft, mostBytes });
      if (typeof original === 'string') return original;
      const masked = await maskFile(draft, secrets);
      const record = { path: local, ...(masked ? { ...masked, original } : original) };
      await rename(draft, file);
      await this.journal?.add(record);
      return record;
    } finally {
      await rm(draft, { force: true });
    }
  }

  private async stream(
    source: AsyncIterable<Uint8Array>,
    { draft, mostBytes }: { readonly draft: string; readonly mostBytes: number },
  ): Promise<FileContent | 'large' | 'beyond'> {
    const handle = await open(draft, 'wx');
    try {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of source) {
        size += chunk.byteLength;
        if (this.bytes + size > this.request.maxBytes) return 'beyond';
        if (size > mostBytes) return 'large';
        hash.update(chunk);
        await handle.writeFile(chunk);
        this.streamed += chunk.byteLength;
        this.progress();
      }
      await handle.sync();
      return { size, sha256: hash.digest('hex') };
    } finally {
      await handle.close();
    }
  }
}
