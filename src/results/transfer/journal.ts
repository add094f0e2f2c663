import { createHash } from 'node:crypto';
import { appendFile, lstat, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { FileContent } from '../../support/atomic-file';

/** What came home so far, one line per file: an interrupted fetch goes on from there. */

export interface HomeFile {
  /** Relative to the target folder, with `/`. */
  readonly path: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** As it is on the platform, where secrets were masked on the way home. */
  readonly original?: FileContent | undefined;
  /** Why the original stays in storage although there is a file at home: not all of its content could be searched for secrets. */
  readonly withheld?: string | undefined;
}

const homeFileSchema: z.ZodType<HomeFile> = z.object({
  path: z.string(),
  size: z.number(),
  sha256: z.string(),
  original: z.object({ size: z.number(), sha256: z.string() }).optional(),
  withheld: z.string().optional(),
});

const manifestSchema = z.looseObject({ files: z.array(homeFileSchema) });

/** What the platform has: what was checked when the file came. */
export const originalOf = ({ size, sha256, original }: HomeFile): FileContent => original ?? { size, sha256 };

export interface Journal {
  /** The record of a file that still lies at home exactly as it was fetched. */
  intact(relative: string): Promise<HomeFile | undefined>;
  add(file: HomeFile): Promise<void>;
  forget(relative: string): void;
  close(): Promise<void>;
}

/** Opens the journal of `target`; what an earlier, finished fetch wrote to its manifest counts as well. */
export async function openJournal(target: string): Promise<Journal> {
  const file = path.join(target, '.fetched.jsonl');
  const known = new Map<string, HomeFile>();
  for (const record of [...(await readManifest(target)), ...(await readLines(file))]) known.set(record.path, record);
  return {
    async intact(relative) {
      const record = known.get(relative);
      if (!record) return undefined;
      const sha256 = await digest(path.join(target, relative), record.size);
      return sha256 === record.sha256 ? record : undefined;
    },
    async add(record) {
      known.set(record.path, record);
      await appendFile(file, `${JSON.stringify(record)}\n`);
    },
    forget: (relative) => void known.delete(relative),
    close: () => rm(file, { force: true }),
  };
}

async function readManifest(target: string): Promise<readonly HomeFile[]> {
  const parsed = manifestSchema.safeParse(parseJson(await readText(path.join(target, 'manifest.json'))));
  return parsed.success ? parsed.data.files : [];
}

/** A last line that a kill cut short is no record. */
async function readLines(file: string): Promise<readonly HomeFile[]> {
  const lines = (await readText(file)).split('\n');
  return lines.flatMap((line) => {
    const parsed = homeFileSchema.safeParse(parseJson(line));
    return parsed.success ? [parsed.data] : [];
  });
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The file's sha256, or `undefined` when there is no regular file of that size. */
async function digest(file: string, size: number): Promise<string | undefined> {
  const found = await lstat(file).catch(() => undefined);
  if (!found?.isFile() || found.size !== size) return undefined;
  const handle = await open(file, 'r');
  try {
    const hash = createHash('sha256');
    for await (const chunk of handle.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
    return hash.digest('hex');
  } finally {
    await handle.close();
  }
}
