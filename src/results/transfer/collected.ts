import path from 'node:path';
import { maxCollectedBytes } from './collector';
import { linesOf } from '../../support/lines';
import { collectorLines, parseCollectorLine, type CollectorLine } from './collector-protocol';
import type { FetchedFolder, FetchProgress } from './fetch';
import { IncomingFile } from './incoming-file';
import { openJournal, originalOf, type FetchedFile, type Journal } from './journal';
import { boundsOfRun, localPath, UnusableFolder, withoutClashes } from './remote-tree';
import { skippedByName, type NotHome } from './skip-rules';
import { finishFolder, makeFolder } from './target-folder';

export interface ReceiveRequest {
  /** The collector job's log from its beginning. */
  readonly source: AsyncIterable<Uint8Array>;
  /** Of the task's folder; for the manifest and for messages. */
  readonly fileSystem: string;
  readonly path: string;
  /** Absolute local folder. */
  readonly target: string;
  /** Masked in the local files. */
  readonly secrets: readonly string[];
  /** The limit that the job was given. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** As in `FetchRequest`. */
  readonly openJournal?: ((target: string) => Promise<Journal>) | undefined;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

/** The log ended, or lost a piece, before all files were complete. Complete files stay; the next job or reading starts at `from`. */
export class IncompleteCollection extends Error {
  override readonly name = 'IncompleteCollection';
  constructor(
    message: string,
    /** Position of the first file that is not complete. */
    readonly from: number,
  ) {
    super(message);
  }
}

/**
 * Receives a folder from a collector job's log. Each file is assembled from its pieces, verified (crc32 of every piece, size and
 * sha256 of the file) and moved to its place; `manifest.json` comes last. Reading the same log again, or that of another job,
 * adds only what is missing. Resolves to `undefined` if the job found no such folder.
 * What the job leaves out because of size, depth or number stays in storage, and `incomplete` says so.
 * Rejects with `IncompleteCollection`, `UnusableFolder`, or what the source throws.
 */
export async function receiveCollected(request: ReceiveRequest): Promise<FetchedFolder | undefined> {
  const receiver = new Receiver(request);
  try {
    for await (const line of linesOf(request.source, collectorLines)) {
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

/** Reasons for which nothing is lost: the entry can't be fetched at all, or is not meant to be. */
const harmless: readonly string[] = [skippedByName, 'link', 'not a file'];

/** Says when the log is the limit, because raising `execution.max_result_size` would not help. */
const beyondLimit = (maxBytes: number): string =>
  maxBytes < maxCollectedBytes
    ? `beyond the limit of ${maxBytes} bytes`
    : `beyond the ${maxCollectedBytes / 1024 / 1024} MiB that can be fetched through a job's log where the workspace has no storage API`;

type Announced = Extract<CollectorLine, { kind: 'file' }> & {
  /** Local path; `undefined`: not fetched. */
  readonly local: string | undefined;
  /** Bytes of this file and all before it. */
  readonly upTo: number;
};

class Receiver {
  private readonly files: Announced[] = [];
  private readonly skipped: NotHome[] = [];
  private readonly left: NotHome[] = [];
  private readonly fetched = new Map<number, FetchedFile>();
  private total: number | undefined;
  /** Position from which all files are above the limit. */
  private beyondFrom: number | undefined;
  private bytes = 0;
  private journal: Journal | undefined;
  private current: IncomingFile | undefined;

  constructor(private readonly request: ReceiveRequest) {}

  async take(line: CollectorLine): Promise<void> {
    switch (line.kind) {
      case 'file':
        // After a lost line, the rest of the index can't be trusted.
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
        this.beyondFrom ??= line.index;
        return;
      case 'holds':
      case 'missing':
      case 'end':
        return;
    }
  }

  async finish(): Promise<FetchedFolder> {
    const { target, fileSystem, path: folder } = this.request;
    if (this.total === undefined)
      throw new IncompleteCollection(`${folder}: the collector's log holds no complete list of files`, 0);
    const missing = this.files.find(({ index, local }) => local !== undefined && !this.isSettled(index));
    if (missing) {
      throw new IncompleteCollection(
        `${folder}: ${this.fetched.size} of ${this.total} files are fetched; ${missing.local} did not arrive whole`,
        missing.index,
      );
    }
    const files = this.files.flatMap(({ index }) => this.fetched.get(index) ?? []);
    const reason = beyondLimit(this.request.maxBytes);
    const beyond = this.files.flatMap(({ index, local }) =>
      local === undefined || this.fetched.has(index) ? [] : [{ path: local, reason }],
    );
    const finished = await finishFolder(target, {
      source: { fileSystem, path: folder },
      files,
      skipped: this.skipped,
      left: [...beyond, ...this.left],
    });
    await this.journal?.close();
    return finished;
  }

  /** Returns whether the file is complete, or above the limit. */
  private isSettled(index: number): boolean {
    return this.fetched.has(index) || (this.beyondFrom !== undefined && index >= this.beyondFrom);
  }

  async letGo(): Promise<void> {
    await this.current?.discard();
    this.current = undefined;
  }

  /** Enforces the limits even though the job does so too: its log is not trusted. */
  private announce(line: Extract<CollectorLine, { kind: 'file' }>): Announced {
    const { path: folder } = this.request;
    if (this.files.length >= boundsOfRun.files)
      throw new UnusableFolder(`${folder}: more than ${boundsOfRun.files} files`);
    const local = localPath(line.path);
    if (local === undefined)
      this.left.push({ path: JSON.stringify(line.path.slice(0, 80)), reason: 'not a file name' });
    return { ...line, local, upTo: (this.files.at(-1)?.upTo ?? 0) + line.size };
  }

  private skip({ path: relative, reason }: Extract<CollectorLine, { kind: 'skipped' }>): void {
    const list = harmless.includes(reason) ? this.skipped : this.left;
    const words = reason === 'beyond the limit' ? beyondLimit(this.request.maxBytes) : reason;
    if (list.length < boundsOfRun.files) list.push({ path: relative, reason: words });
  }

  private async begin(total: number): Promise<void> {
    if (this.total !== undefined || this.files.length !== total) return;
    const { target } = this.request;
    this.leaveClashes();
    await makeFolder(target, '');
    this.journal = await (this.request.openJournal ?? openJournal)(target);
    this.total = total;
    for (const file of this.files) {
      const record = file.local === undefined ? undefined : await this.journal.intact(file.local);
      if (record === undefined) continue;
      const original = originalOf(record);
      if (original.size === file.size && original.sha256 === file.sha256) this.fetched.set(file.index, record);
    }
    this.progress();
  }

  private leaveClashes(): void {
    const named = this.files.filter((file): file is Announced & { local: string } => file.local !== undefined);
    const { files, clashes } = withoutClashes(named);
    const placed = new Set(files.map(({ index }) => index));
    this.left.push(...clashes);
    for (const [at, file] of this.files.entries())
      if (!placed.has(file.index)) this.files[at] = { ...file, local: undefined };
  }

  private async takePiece(piece: Extract<CollectorLine, { kind: 'piece' }>): Promise<void> {
    const file = this.files[piece.index];
    const local = file?.local;
    if (this.total === undefined || file === undefined || local === undefined || this.isSettled(piece.index)) return;
    if (this.current?.index !== piece.index) {
      await this.letGo();
      if (file.upTo > this.request.maxBytes) this.beyondFrom ??= file.index;
      if (this.isSettled(piece.index) || piece.offset !== 0) return; // or its beginning was lost
      await makeFolder(this.request.target, path.posix.dirname(local));
      this.current = await IncomingFile.begin(path.join(this.request.target, local), file);
    }
    this.bytes += await this.current.add(piece);
    this.progress();
  }

  private async complete({ index, packed }: Extract<CollectorLine, { kind: 'done' }>): Promise<void> {
    if (this.current?.index !== index) return;
    const whole = await this.current.complete(packed, this.request.secrets);
    const file = this.files[index];
    if (whole && file?.local !== undefined) {
      const original = { size: file.size, sha256: file.sha256 };
      const record = { path: file.local, ...(whole.masked ? { ...whole.masked, original } : original) };
      await this.journal?.add(record);
      this.fetched.set(index, record);
      this.progress();
    }
    await this.letGo();
  }

  private progress(): void {
    this.request.onProgress?.({ files: this.fetched.size, bytes: this.bytes });
  }
}
