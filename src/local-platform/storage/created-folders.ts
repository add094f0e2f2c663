import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../support/atomic-file';

const schema = z.record(z.string(), z.array(z.string()));

/**
 * Folders that were created by request (a PUT) and stay when they get empty; all others exist only for their content.
 * Paths are below the file system's root, without a leading slash.
 */
export class CreatedFolders {
  readonly #file: string;
  readonly #folders: Map<string, Set<string>>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, folders: Map<string, Set<string>>) {
    this.#file = file;
    this.#folders = folders;
  }

  static async open(file: string): Promise<CreatedFolders> {
    const stored = schema.parse((await readJsonFile(file)) ?? {});
    return new CreatedFolders(file, new Map(Object.entries(stored).map(([name, paths]) => [name, new Set(paths)])));
  }

  has(fileSystem: string, folder: string): boolean {
    return this.#folders.get(fileSystem)?.has(folder) ?? false;
  }

  async add(fileSystem: string, folder: string): Promise<void> {
    if (folder === '' || this.has(fileSystem, folder)) return;
    this.#folders.set(fileSystem, (this.#folders.get(fileSystem) ?? new Set<string>()).add(folder));
    await this.#save();
  }

  async removeBelow(fileSystem: string, folder: string): Promise<void> {
    const created = this.#folders.get(fileSystem);
    const removed = [...(created ?? [])].filter((each) => each === folder || each.startsWith(`${folder}/`));
    if (removed.length === 0) return;
    for (const each of removed) created?.delete(each);
    await this.#save();
  }

  #save(): Promise<void> {
    const write = (): Promise<void> =>
      writePrivateJson(this.#file, Object.fromEntries([...this.#folders].map(([name, paths]) => [name, [...paths]])));
    this.#writing = this.#writing.catch(() => undefined).then(write);
    return this.#writing;
  }
}
