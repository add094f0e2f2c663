import path from 'node:path';
import { largestCollectedBytes } from './collector';
import { linesOf, parseCollectorLine, type CollectorLine } from './collector-protocol';
import { ResultsTooLarge, type FetchedFolder, type FetchProgress } from './fetch';
import { IncomingFile } from './incoming-file';
import { openJournal, originalOf, type HomeFile, type Journal } from './journal';
import { deepest, localPath, mostFiles, refuseClashes, UnusableFolder } from './remote-tree';
import { finishFolder, makeFolder } from './target-folder';

export interface ReceiveRequest {
  /** The collector job's log, from its beginning. */
  readonly source: AsyncIterable<Uint8Array>;
  /** Of the task's folder, for the manifest and for messages. */
  readonly fileSystem: string;
  readonly path: string;
  /** Absolute local folder. */
  readonly target: string;
  /** Masked in what comes home. */
  readonly secrets: readonly string[];
  /** What the job was told. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/** The log ended, or lost a piece, before all was home. What is home stays; the next job, or reading, goes on from `from`. */
export class IncompleteCollection extends Error {
  override readonly name = 'IncompleteCollection';
  constructor(
    message: string,
    /** Position of the first file that is not home. */
    readonly from: number,
  ) {
    super(message);
  }
}

/**
 * Receives a folder from a collector job's log: each file is put together from its pieces, checked (crc32 of every piece,
 * size and sha256 of the whole) and then takes its place; `manifest.json` comes last. Reading the same log again, or that of
 * another job, fetches only what is not home yet. `undefined` when the job found no such folder.
 * Rejects with `IncompleteCollection`, `ResultsTooLarge`, `UnusableFolder`, or what the source throws.
 */
export async function receiveCollected(request: ReceiveRequest): Promise<FetchedFolder | undefined> {
  const receiver = new Receiver(request);
  try {
    for await (const line of linesOf(request.source)) {
      request.signal?.throwIfAborted();
      const parsed = parseCollectorLine(line);
      if (parsed?.kind === 'missing') return undefined;
      if (parsed) await receiver.take(parsed);
      if (parsed?.kind === 'end') break;
    }
    return await receiver.finish();
  } finally {
    await receiver.letGo();
  }
}

/** Where the log is the limit, and not what the user set, it says so: raising `execution.max_result_size` would not help. */
function tooLarge(folder: string, maxBytes: number, homeFiles: number): ResultsTooLarge {
  if (maxBytes < largestCollectedBytes) return new ResultsTooLarge(folder, maxBytes, homeFiles);
  const size = `${largestCollectedBytes / 1024 / 1024} MiB`;
  return new ResultsTooLarge(
    folder,
    maxBytes,
    homeFiles,
    `more than ${size}, which is all that comes home through a job's log where the workspace has no storage API`,
  );
}

const tooDeep = 'nested too deep';

type Announced = Extract<CollectorLine, { kind: 'file' }> & {
  readonly local: string;
  /** Bytes of this file and all before it. */
  readonly upTo: number;
};

class Receiver {
  private readonly files: Announced[] = [];
  private readonly skipped: { path: string; reason: string }[] = [];
  private readonly home = new Map<number, HomeFile>();
  private total: number | undefined;
  private beyond = false;
  private bytes = 0;
  private journal: Journal | undefined;
  private current: IncomingFile | undefined;

  constructor(private readonly request: ReceiveRequest) {}

  async take(line: CollectorLine): Promise<void> {
    switch (line.kind) {
      case 'file':
        // A lost line leaves a hole in the index: what follows it can't be told apart from a damaged log.
        if (line.index === this.files.length) this.files.push(this.announce(line));
        return;
      case 'skipped':
        this.skip(line);
        return;
      case 'total':
        return this.begin(line.files);
      case 'piece':
        return this.takePiece(line);
      case 'done':
        return this.complete(line);
      case 'beyond':
        this.beyond = true;
        return;
      case 'missing':
      case 'end':
        return;
    }
  }

  async finish(): Promise<FetchedFolder> {
    const { target, fileSystem, path: folder, maxBytes } = this.request;
    if (this.total === undefined)
      throw new IncompleteCollection(`${folder}: the collector's log holds no complete list of files`, 0);
    if (this.beyond) throw tooLarge(folder, maxBytes, this.home.size);
    const missing = this.files.findIndex(({ index }) => !this.home.has(index));
    if (missing >= 0) {
      const { local } = this.files[missing] as Announced;
      throw new IncompleteCollection(
        `${folder}: ${this.home.size} of ${this.total} files are home; ${local} did not arrive whole`,
        missing,
      );
    }
    const files = this.files.flatMap(({ index }) => this.home.get(index) ?? []);
    const finished = await finishFolder(target, { source: { fileSystem, path: folder }, files, skipped: this.skipped });
    await this.journal?.close();
    return finished;
  }

  async letGo(): Promise<void> {
    await this.current?.discard();
    this.current = undefined;
  }

  /** The job keeps to the limits by itself; they hold also when what it says is not to be trusted. */
  private announce(line: Extract<CollectorLine, { kind: 'file' }>): Announced {
    const { path: folder } = this.request;
    if (this.files.length >= mostFiles) throw new UnusableFolder(`${folder}: more than ${mostFiles} files`);
    const before = this.files.at(-1);
    return { ...line, local: localPath(line.path, folder), upTo: (before?.upTo ?? 0) + line.size };
  }

  /** What is too deep might be results: then the folder is not home, and must not go. */
  private skip({ path: relative, reason }: Extract<CollectorLine, { kind: 'skipped' }>): void {
    const { path: folder } = this.request;
    if (reason === tooDeep) throw new UnusableFolder(`${folder}: folders are nested more than ${deepest} deep`);
    if (this.skipped.length < mostFiles) this.skipped.push({ path: relative, reason });
  }

  private async begin(total: number): Promise<void> {
    if (this.total !== undefined || this.files.length !== total) return;
    const { target, path: folder } = this.request;
    refuseClashes(this.files, folder);
    await makeFolder(target, '');
    this.journal = await openJournal(target);
    this.total = total;
    for (const file of this.files) {
      const record = await this.journal.intact(file.local);
      if (record === undefined) continue;
      const original = originalOf(record);
      if (original.size === file.size && original.sha256 === file.sha256) this.home.set(file.index, record);
    }
    this.progress();
  }

  private async takePiece(piece: Extract<CollectorLine, { kind: 'piece' }>): Promise<void> {
    const file = this.files[piece.index];
    if (this.total === undefined || file === undefined || this.home.has(piece.index)) return;
    if (this.current?.index !== piece.index) {
      await this.letGo();
      if (file.upTo > this.request.maxBytes) this.beyond = true;
      if (this.beyond || piece.offset !== 0) return; // or its beginning was lost
      await makeFolder(this.request.target, path.posix.dirname(file.local));
      this.current = await IncomingFile.begin(path.join(this.request.target, file.local), file);
    }
    this.bytes += await this.current.add(piece);
    this.progress();
  }

  private async complete({ index, packed }: Extract<CollectorLine, { kind: 'done' }>): Promise<void> {
    if (this.current?.index !== index) return;
    const whole = await this.current.complete(packed, this.request.secrets);
    const file = this.files[index];
    if (whole && file) {
      const original = { size: file.size, sha256: file.sha256 };
      const record = { path: file.local, ...(whole.masked ? { ...whole.masked, original } : original) };
      await this.journal?.add(record);
      this.home.set(index, record);
      this.progress();
    }
    await this.letGo();
  }

  private progress(): void {
    this.request.onProgress?.({ files: this.home.size, bytes: this.bytes });
  }
}
