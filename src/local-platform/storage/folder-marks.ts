import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../support/atomic-file';

const schema = z.record(z.string(), z.array(z.string()));

/**
 * Folders that were made on purpose (by a PUT) and so stay when they get empty; all others exist only for what is in
 * them. Paths are below the file system's root, without a leading slash.
 */
export class FolderMarks {
  readonly #file: string;
  readonly #marks: Map<string, Set<string>>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, marks: Map<string, Set<string>>) {
    this.#file = file;
    this.#marks = marks;
  }

  static async open(file: string): Promise<FolderMarks> {
    const stored = schema.parse((await readJsonFile(file)) ?? {});
    return new FolderMarks(file, new Map(Object.entries(stored).map(([name, paths]) => [name, new Set(paths)])));
  }

  has(fileSystem: string, folder: string): boolean {
    return this.#marks.get(fileSystem)?.has(folder) ?? false;
  }

  async add(fileSystem: string, folder: string): Promise<void> {
    if (folder === '' || this.has(fileSystem, folder)) return;
    this.#marks.set(fileSystem, (this.#marks.get(fileSystem) ?? new Set<string>()).add(folder));
    await this.#save();
  }

  async removeBelow(fileSystem: string, folder: string): Promise<void> {
    const marks = this.#marks.get(fileSystem);
    const gone = [...(marks ?? [])].filter((marked) => marked === folder || marked.startsWith(`${folder}/`));
    if (gone.length === 0) return;
    for (const marked of gone) marks?.delete(marked);
    await this.#save();
  }

  #save(): Promise<void> {
    const write = (): Promise<void> =>
      writePrivateJson(this.#file, Object.fromEntries([...this.#marks].map(([name, paths]) => [name, [...paths]])));
    this.#writing = this.#writing.catch(() => undefined).then(write);
    return this.#writing;
  }
}
