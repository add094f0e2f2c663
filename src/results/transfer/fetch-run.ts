import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { maskFile } from '../../secrets/mask-file';
import { draftFor, type FileContent } from '../../support/atomic-file';
import { localFault } from '../../support/local-fault';
import { mapConcurrently } from '../../support/map-concurrently';
import type { FetchedFolder, FetchRequest } from './fetch';
import { openJournal, originalOf, type FetchedFile, type Journal } from './journal';
import type { RemoteFile, RemoteTree } from './remote-tree';
import { finishFolder, makeFolder } from './target-folder';
import { isSame, type Unpacking } from './unpacking';

/** The scores are fetched first, however large. */
const scoresName = 'results.yml';

/** Files fetched at once: enough to hide a round trip, few enough for the platform. */
const concurrency = 4;

/** Bytes; a larger file is fetched after all others, and only if it fits. */
const largeBytes = 8 * 1024 * 1024;
/** Files above the size limit after which no more are tried, since each costs a request. */
const maxBeyond = 100;

/** One call of `fetchTaskResults`: the files fetched, and the bytes received. */
export class FetchRun {
  private readonly fetched = new Map<string, FetchedFile>();
  /** Size of the fetched files. */
  private bytes = 0;
  /** Bytes received, including files that are not complete. */
  private streamed = 0;
  private readonly beyond = new Set<string>();
  /** Files that this call has received. */
  private readonly received = new Set<string>();
  private journal: Journal | undefined;

  constructor(
    private readonly request: FetchRequest,
    private readonly unpacking: Unpacking,
  ) {}

  async begin(): Promise<void> {
    this.journal = await (this.request.openJournal ?? openJournal)(this.request.target);
  }

  progress(): void {
    this.request.onProgress?.({ files: this.fetched.size, bytes: this.streamed });
  }

  /** Forgets files whose size on the platform has changed; returns their number. */
  async forgetStale(files: readonly RemoteFile[]): Promise<number> {
    const { client, fileSystem, signal, isSettled } = this.request;
    let stale = 0;
    await mapConcurrently(files, concurrency, async ({ local, remote }) => {
      const record = this.fetched.get(local);
      if (record === undefined || (isSettled === true && this.received.has(local))) return;
      signal?.throwIfAborted();
      const size = await client.storage.size(fileSystem, remote, { signal });
      this.progress();
      if (size === undefined || size === originalOf(record).size) return;
      this.fetched.delete(local);
      this.journal?.forget(local);
      this.bytes -= originalOf(record).size;
      stale += 1;
    });
    return stale;
  }

  /** Fetches the scores on their own, so that other files can't take the last bytes of the limit; then a few files at a time. */
  async fetchAll(files: readonly RemoteFile[]): Promise<void> {
    this.beyond.clear();
    const queue = files.filter(({ local }) => !this.fetched.has(local));
    if (queue[0]?.local === scoresName) await this.fetchFile(queue[0], Infinity);
    const large: RemoteFile[] = [];
    const others = queue.filter(({ local }) => local !== scoresName);
    await mapConcurrently(others, concurrency, async (file) => {
      if ((await this.fetchFile(file, largeBytes)) === 'large') large.push(file);
    });
    for (const { file, size } of await this.bySize(large)) {
      if (this.bytes + size > this.request.maxBytes) this.beyond.add(file.local);
      else await this.fetchFile(file, Infinity);
    }
  }

  async finish(tree: RemoteTree): Promise<FetchedFolder> {
    const { fileSystem, path: folder, target, maxBytes } = this.request;
    const files = tree.files.flatMap(({ local }) => this.fetched.get(local) ?? []);
    const beyond = tree.files.filter(({ local }) => !this.fetched.has(local));
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

  /** Fetches one file. `large`: it has more than `maxFileBytes`, and must wait. */
  private async fetchFile(file: RemoteFile, maxFileBytes: number): Promise<'fetched' | 'large' | 'beyond'> {
    this.request.signal?.throwIfAborted();
    if (this.beyond.size >= maxBeyond) return 'beyond';
    const record = (await this.reuse(file)) ?? (await this.download(file, maxFileBytes));
    if (record === 'large') return record;
    const isBeyond = record === 'beyond' || this.bytes + originalOf(record).size > this.request.maxBytes;
    if (isBeyond) {
      this.beyond.add(file.local);
      return 'beyond';
    }
    this.bytes += originalOf(record).size;
    this.fetched.set(file.local, record);
    this.progress();
    return 'fetched';
  }

  /** Returns the file of an earlier call. Whether it has changed on the platform is checked at the end, as for all files. */
  private async reuse(file: RemoteFile): Promise<FetchedFile | undefined> {
    const record = await this.journal?.intact(file.local);
    const packed = this.unpacking.find(file);
    if (record === undefined || packed === undefined) return record;
    if (!isSame(originalOf(record), packed)) return undefined;
    this.received.add(file.local);
    this.unpacking.note(file);
    return record;
  }

  /** Writes the draft from the archive; without a draft returns `undefined`, if it lacks the file or has something else. */
  private async unpack(file: RemoteFile, draft: string): Promise<FileContent | undefined> {
    const packed = this.unpacking.find(file);
    if (packed === undefined) return undefined;
    try {
      const content = await this.stream(packed.content(), { draft, maxFileBytes: packed.size });
      if (typeof content !== 'string' && isSame(content, packed)) {
        this.unpacking.note(file);
        return content;
      }
    } catch (error) {
      this.request.signal?.throwIfAborted();
      if (localFault(error)) throw error;
    }
    await rm(draft, { force: true });
    return undefined;
  }

  private async download(source: RemoteFile, maxFileBytes: number): Promise<FetchedFile | 'large' | 'beyond'> {
    const { local, remote } = source;
    const { client, fileSystem, target, secrets, signal } = this.request;
    await makeFolder(target, path.posix.dirname(local));
    const file = path.join(target, local);
    const draft = draftFor(file);
    try {
      const original =
        (await this.unpack(source, draft)) ??
        (await this.stream(client.storage.read(fileSystem, remote, { signal }), { draft, maxFileBytes }));
      if (typeof original === 'string') return original;
      const masked = await maskFile(draft, secrets);
      const record = { path: local, ...(masked ? { ...masked, original } : original) };
      await rename(draft, file);
      await this.journal?.add(record);
      this.received.add(local);
      return record;
    } finally {
      await rm(draft, { force: true });
    }
  }

  private async stream(
    source: AsyncIterable<Uint8Array>,
    { draft, maxFileBytes }: { readonly draft: string; readonly maxFileBytes: number },
  ): Promise<FileContent | 'large' | 'beyond'> {
    const handle = await open(draft, 'wx');
    try {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of source) {
        size += chunk.byteLength;
        if (this.bytes + size > this.request.maxBytes) return 'beyond';
        if (size > maxFileBytes) return 'large';
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
