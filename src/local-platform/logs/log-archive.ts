import { createReadStream } from 'node:fs';
import { readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { readJsonFile, writeAtomically, writePrivateJson } from '../../support/atomic-file';
import type { LogOptions, Runtime } from '../runtime';
import type { LogSegment } from './log-segments';

const segmentsSchema = z.array(z.object({ from: z.number(), at: z.number(), size: z.number() }));

/** Logs of jobs that were archived by their ttl: the runtime has forgotten them, but their logs stay readable. */
export class LogArchive {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Idempotent: an archived log is complete, and may be all that is left of the job. */
  async keep(id: string, runtime: Pick<Runtime, 'jobLog' | 'jobLogSegments'>, signal: AbortSignal): Promise<void> {
    if (await this.has(id)) return;
    await writePrivateJson(this.#segmentsFile(id), await runtime.jobLogSegments(id));
    const save = async (draft: FileHandle): Promise<void> => {
      for await (const chunk of runtime.jobLog(id, { follow: false, signal })) await draft.writeFile(chunk);
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

  async segments(id: string): Promise<readonly LogSegment[]> {
    return segmentsSchema.parse(await readJsonFile(this.#segmentsFile(id)));
  }

  async remove(id: string): Promise<void> {
    await Promise.all([rm(this.#file(id), { force: true }), rm(this.#segmentsFile(id), { force: true })]);
  }

  /** Removes all logs but these. Called once, when the platform starts. */
  async retain(ids: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      if (!ids.has(name.replace(/\.(log|times\.json)$/, ''))) await rm(path.join(this.#folder, name), { force: true });
    }
  }

  #file(id: string): string {
    return path.join(this.#folder, `${id}.log`);
  }

  #segmentsFile(id: string): string {
    return path.join(this.#folder, `${id}.times.json`);
  }
}
