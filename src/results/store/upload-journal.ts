import { createWriteStream } from 'node:fs';
import { lstat, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FetchedFile, Journal } from '../transfer/journal';
import type { ResultsStore } from './store';

/** Files that are read for the scores are kept until they have been; of the others, only small ones. Bytes. */
const keptBytes = 1024 * 1024;
const isKept = ({ path: relative, size }: FetchedFile): boolean => size <= keptBytes || relative === 'results.yml';

/**
 * A journal whose files are in a store: a file counts as fetched once the store has it, so that a fetch can continue on another
 * machine. Large files are removed here as soon as they are there.
 */
export class UploadJournal implements Journal {
  private readonly uploaded = new Set<string>();

  private constructor(
    private readonly store: ResultsStore,
    private readonly folder: string,
    private readonly signal: AbortSignal,
    private readonly known: Set<string>,
  ) {}

  /** Ends what a killed worker has begun to upload there, and lists what it has finished. */
  static async open(store: ResultsStore, folder: string, signal: AbortSignal): Promise<UploadJournal> {
    await store.endStaleUploads({ signal });
    const listed = await store.list({ signal });
    return new UploadJournal(store, folder, signal, new Set(listed.map((file) => file.path)));
  }

  async intact(relative: string): Promise<FetchedFile | undefined> {
    const { store, folder, signal, known } = this;
    if (!known.has(relative)) return undefined;
    const record = await store.describe(relative, { signal });
    if (!record) return undefined;
    if (isKept(record) && !(await isFile(path.join(folder, relative)))) await this.bringBack(record);
    this.uploaded.add(relative);
    return record;
  }

  async add(record: FetchedFile): Promise<void> {
    const file = path.join(this.folder, record.path);
    await this.store.put({ file }, record, { signal: this.signal });
    this.uploaded.add(record.path);
    if (!isKept(record)) await rm(file, { force: true });
  }

  forget(relative: string): void {
    this.known.delete(relative);
    this.uploaded.delete(relative);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Whether the store has the file as it is here. */
  has(relative: string): boolean {
    return this.uploaded.has(relative);
  }

  private async bringBack({ path: relative }: FetchedFile): Promise<void> {
    const stored = await this.store.read(relative, { signal: this.signal });
    if (!stored) return;
    const file = path.join(this.folder, relative);
    await mkdir(path.dirname(file), { recursive: true });
    await pipeline(stored.content, createWriteStream(file), { signal: this.signal });
  }
}

const isFile = (file: string): Promise<boolean> =>
  lstat(file).then(
    (found) => found.isFile(),
    () => false,
  );
