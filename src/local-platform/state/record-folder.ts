import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../support/atomic-file';

/**
 * Records of one kind, in memory and each in a JSON file (mode 0600). `put` and `remove` resolve once the change is on
 * disk; each file is replaced as a whole, so that a kill at any moment leaves the old or the new state.
 */
export class RecordFolder<T extends object> {
  readonly #folder: string;
  readonly #records: Map<string, T>;
  /** Last write per key: writes of one record go to disk in the order they were requested. */
  readonly #writes = new Map<string, Promise<void>>();

  private constructor(folder: string, records: Map<string, T>) {
    this.#folder = folder;
    this.#records = records;
  }

  /** Reads all records. Rejects, naming the file, if one of them is invalid. */
  static async open<T extends object>(folder: string, schema: z.ZodType<T>): Promise<RecordFolder<T>> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const records = new Map<string, T>();
    for (const name of (await readdir(folder)).sort()) {
      const file = path.join(folder, name);
      if (!name.endsWith('.json')) {
        await rm(file, { force: true, recursive: true }); // a temporary file of a killed process
        continue;
      }
      const parsed = schema.safeParse(await readJsonFile(file).catch(() => undefined));
      if (!parsed.success) {
        throw new Error(`${file} is not a valid record of the local platform. Remove or restore it, then start again.`);
      }
      records.set(decodeURIComponent(name.slice(0, -'.json'.length)), parsed.data);
    }
    return new RecordFolder(folder, records);
  }

  get size(): number {
    return this.#records.size;
  }

  get(key: string): T | undefined {
    return this.#records.get(key);
  }

  values(): T[] {
    return [...this.#records.values()];
  }

  /** Visible to `get` at once, so that two creations of one name can't both succeed; reverted if the write fails. */
  async put(key: string, record: T): Promise<void> {
    const before = this.#records.get(key);
    this.#records.set(key, record);
    try {
      await this.#inOrder(key, () => writePrivateJson(this.#file(key), record));
    } catch (error) {
      if (this.#records.get(key) === record) {
        if (before === undefined) this.#records.delete(key);
        else this.#records.set(key, before);
      }
      throw error;
    }
  }

  async remove(key: string): Promise<void> {
    await this.#inOrder(key, () => rm(this.#file(key), { force: true }));
    this.#records.delete(key);
  }

  /** Resolves when every write so far is on disk. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writes.values());
  }

  #inOrder(key: string, write: () => Promise<void>): Promise<void> {
    const previous = this.#writes.get(key) ?? Promise.resolve();
    const next = previous.catch(() => undefined).then(write);
    this.#writes.set(key, next);
    const forget = (): void => {
      if (this.#writes.get(key) === next) this.#writes.delete(key);
    };
    next.then(forget, forget);
    return next;
  }

  #file(key: string): string {
    return path.join(this.#folder, `${encodeURIComponent(key)}.json`);
  }
}
