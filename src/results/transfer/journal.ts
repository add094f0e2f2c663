import { createHash } from 'node:crypto';
import { appendFile, lstat, open, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { FileContent } from '../../support/atomic-file';

/** Records the files fetched so far, one line each, so that an interrupted fetch can continue. */

export interface FetchedFile {
  /** Relative to the target folder, with `/`. */
  readonly path: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** The file on the platform, if secrets were masked in the local copy. */
  readonly original?: FileContent | undefined;
  /** Why the original stays in storage although there is a local file: its content could not be searched completely for secrets. */
  readonly withheld?: string | undefined;
}

const fetchedFileSchema: z.ZodType<FetchedFile> = z.object({
  path: z.string(),
  size: z.number(),
  sha256: z.string(),
  original: z.object({ size: z.number(), sha256: z.string() }).optional(),
  withheld: z.string().optional(),
});

const manifestSchema = z.looseObject({ files: z.array(fetchedFileSchema) });

/** Returns size and hash of the file on the platform. */
export const originalOf = ({ size, sha256, original }: FetchedFile): FileContent => original ?? { size, sha256 };

export interface Journal {
  /** Returns the record of a local file that is still exactly as it was fetched. */
  intact(relative: string): Promise<FetchedFile | undefined>;
  add(file: FetchedFile): Promise<void>;
  forget(relative: string): void;
  close(): Promise<void>;
}

/** Opens the journal of `target`, including the files in the manifest of an earlier, finished fetch. */
export async function openJournal(target: string): Promise<Journal> {
  const file = path.join(target, '.fetched.jsonl');
  const known = new Map<string, FetchedFile>();
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

async function readManifest(target: string): Promise<readonly FetchedFile[]> {
  const parsed = manifestSchema.safeParse(parseJson(await readText(path.join(target, 'manifest.json'))));
  return parsed.success ? parsed.data.files : [];
}

/** Ignores a last line that a kill has cut off. */
async function readLines(file: string): Promise<readonly FetchedFile[]> {
  const lines = (await readText(file)).split('\n');
  return lines.flatMap((line) => {
    const parsed = fetchedFileSchema.safeParse(parseJson(line));
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

/** Returns the file's sha256, or `undefined` if there is no regular file of that size. */
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
