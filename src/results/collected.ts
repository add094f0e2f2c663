import { createHash } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { createInflate, crc32, type Inflate } from 'node:zlib';
import { largestCollectedBytes } from './collector';
import { linesOf, parseCollectorLine, type CollectorLine } from './collector-protocol';
import { ResultsTooLarge, type FetchedFolder, type FetchProgress } from './fetch';
import { maskFile, type FileContent } from './mask-file';
import { openJournal, originalOf, type HomeFile, type Journal } from './journal';
import { localPath, mostFiles, refuseClashes, UnusableFolder } from './remote-tree';
import { finishFolder, makeFolder } from './target-folder';
import { draftFor } from './whole-file';

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
        this.skipped.push({ path: line.path, reason: line.reason });
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

/** A file that is being put together in a draft. Damage makes it unusable, and is not an error: it comes again. */
class IncomingFile {
  private readonly hash = createHash('sha256');
  private packed = 0;
  private size = 0;
  private damaged = false;
  private readonly writing: Promise<void>;

  private constructor(
    private readonly file: string,
    private readonly draft: string,
    private readonly handle: FileHandle,
    private readonly announced: Announced,
    private readonly inflate: Inflate,
  ) {
    this.writing = this.unpack();
    this.writing.catch(() => undefined);
  }

  static async begin(file: string, announced: Announced): Promise<IncomingFile> {
    const draft = draftFor(file);
    return new IncomingFile(file, draft, await open(draft, 'wx'), announced, createInflate());
  }

  get index(): number {
    return this.announced.index;
  }

  /** The number of bytes that were of use. */
  async add({ offset, crc, data }: Extract<CollectorLine, { kind: 'piece' }>): Promise<number> {
    if (this.damaged || offset < this.packed) return 0; // a line that came twice does no harm
    if (offset > this.packed || crc32(data).toString(16).padStart(8, '0') !== crc) {
      this.damaged = true;
      return 0;
    }
    this.packed += data.length;
    if (!this.inflate.write(data)) await this.drained();
    return data.length;
  }

  /** Moves the file to its place, secrets masked, when it is whole and what was announced; else `undefined`. */
  async complete(
    packed: number,
    secrets: readonly string[],
  ): Promise<{ readonly masked: FileContent | undefined } | undefined> {
    if (this.damaged || packed !== this.packed) return undefined;
    this.inflate.end();
    await this.writing.catch(() => (this.damaged = true));
    const whole =
      !this.damaged && this.size === this.announced.size && this.hash.digest('hex') === this.announced.sha256;
    if (!whole) return undefined;
    await this.handle.sync();
    const masked = await maskFile(this.draft, secrets);
    await rename(this.draft, this.file);
    return { masked };
  }

  async discard(): Promise<void> {
    this.inflate.destroy();
    await this.writing.catch(() => undefined);
    await this.handle.close();
    await rm(this.draft, { force: true });
  }

  private drained(): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        this.inflate.off('drain', settle).off('close', settle);
        resolve();
      };
      this.inflate.on('drain', settle).on('close', settle);
    });
  }

  private async unpack(): Promise<void> {
    for await (const chunk of this.inflate as AsyncIterable<Buffer>) {
      this.size += chunk.length;
      // No more than was announced: a small piece can unpack to a great deal.
      if (this.size > this.announced.size) throw new UnusableFolder(`${this.file}: larger than announced`);
      this.hash.update(chunk);
      await this.handle.writeFile(chunk);
    }
  }
}
