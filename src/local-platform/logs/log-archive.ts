import { createReadStream } from 'node:fs';
import { readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, writeAtomically, writePrivateJson } from '../../support/atomic-file';
import type { LogOptions, Runtime } from '../runtime';
import type { LogMark } from './log-marks';

const marksSchema = z.array(z.object({ from: z.number(), at: z.number(), size: z.number() }));

/** Logs of jobs that outlived their ttl: the runtime forgets such a job, its log stays readable while the archive has it. */
export class LogArchive {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Safe to repeat: what is here already is whole, and may be all that there is by now. */
  async keep(id: string, runtime: Pick<Runtime, 'jobLog' | 'jobLogMarks'>, signal: AbortSignal): Promise<void> {
    if (await this.has(id)) return;
    await writePrivateJson(this.#marksFile(id), await runtime.jobLogMarks(id));
    const save = async (draft: FileHandle): Promise<void> => {
      for await (const piece of runtime.jobLog(id, { follow: false, signal })) await draft.writeFile(piece);
      signal.throwIfAborted();
    };
    await writeAtomically(this.#file(id), save, { file: 0o600 });
  }

  has(id: string): Promise<boolean> {
    return stat(this.#file(id)).then(
      () => true,
      () => false,
    );
  }

  open(id: string, { from = 0, signal }: LogOptions): AsyncIterable<Uint8Array> {
    return createReadStream(this.#file(id), { start: from, signal }) as AsyncIterable<Uint8Array>;
  }

  async marks(id: string): Promise<readonly LogMark[]> {
    return marksSchema.parse(await readJsonFile(this.#marksFile(id)));
  }

  async remove(id: string): Promise<void> {
    await Promise.all([rm(this.#file(id), { force: true }), rm(this.#marksFile(id), { force: true })]);
  }

  /** Removes all but these. Called once, when the platform starts. */
  async retain(ids: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      if (!ids.has(name.replace(/\.(log|times\.json)$/, ''))) await rm(path.join(this.#folder, name), { force: true });
    }
  }

  #file(id: string): string {
    return path.join(this.#folder, `${id}.log`);
  }

  #marksFile(id: string): string {
    return path.join(this.#folder, `${id}.times.json`);
  }
}
