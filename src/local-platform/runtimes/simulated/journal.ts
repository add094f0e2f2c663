import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { causeSchema } from './endings';

const schema = z.object({
  /** When its timeline began, milliseconds since the epoch. */
  bornAt: z.number(),
  stoppedAt: z.number().optional(),
  /** Set once the results have been written: they are never written again. */
  resultsAt: z.number().optional(),
  /** A job that is ended from outside: when, in milliseconds since the epoch, and how. */
  ending: z.object({ at: z.number(), by: causeSchema }).optional(),
  /** Set once that has happened. */
  endedAt: z.number().optional(),
});

export type JournalEntry = z.infer<typeof schema>;

/**
 * What a simulated resource must remember over a restart. Written synchronously, so that it is on disk before the
 * platform responds to the request that caused it.
 */
export class Journal {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Returns `undefined` if there is no entry or it can't be read; the timeline then starts over. */
  read(key: string): JournalEntry | undefined {
    try {
      return schema.parse(JSON.parse(readFileSync(this.#file(key), 'utf8')));
    } catch {
      return undefined;
    }
  }

  write(key: string, entry: JournalEntry): void {
    const draft = `${this.#file(key)}.draft`;
    writeFileSync(draft, JSON.stringify(entry), { mode: 0o600 });
    renameSync(draft, this.#file(key));
  }

  remove(key: string): void {
    rmSync(this.#file(key), { force: true });
  }

  #file(key: string): string {
    return path.join(this.#folder, `${key}.json`);
  }
}
