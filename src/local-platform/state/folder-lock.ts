import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { lock } from 'proper-lockfile';
import { z } from 'zod';
import { readJsonFile, writePrivateJson } from '../../support/private-file';
import { processStart } from './process-identity';

const holderSchema = z.object({ pid: z.number(), started: z.string(), url: z.string().optional() });

type Holder = z.infer<typeof holderSchema>;

export interface FolderLock {
  /** Tells later comers where the holder can be reached. */
  announce(url: string): Promise<void>;
  release(): Promise<void>;
}

/** Bounds the moment in which the lock file is looked at and replaced; the lock itself never goes stale by time. */
const CHANGE_STALE_MS = 5_000;

/**
 * One platform per state folder. The lock names its holder by pid and start time, so that what a killed platform left
 * behind is taken over at once. Rejects, saying where the other platform runs, when there is one.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = path.join(folder, 'lock.json');
  const own: Holder = { pid: process.pid, started: (await processStart(process.pid)) ?? 'unknown' };
  const endChange = await lock(folder, {
    lockfilePath: path.join(folder, 'lock-change'),
    stale: CHANGE_STALE_MS,
    retries: { retries: 100, factor: 1, minTimeout: 60, maxTimeout: 60 },
  });
  try {
    const holder = await readHolder(file);
    if (holder !== undefined && (await processStart(holder.pid)) === holder.started) throw takenError(folder, holder);
    await writePrivateJson(file, own);
  } finally {
    await endChange();
  }
  return {
    announce: (url) => writePrivateJson(file, { ...own, url }),
    release: () => rm(file, { force: true }),
  };
}

async function readHolder(file: string): Promise<Holder | undefined> {
  const parsed = holderSchema.safeParse(await readJsonFile(file).catch(() => undefined));
  return parsed.success ? parsed.data : undefined;
}

function takenError(folder: string, holder: Holder): Error {
  const where = holder.url === undefined ? 'is starting' : `answers at ${holder.url}`;
  return new Error(
    `A local platform already uses ${folder}: process ${holder.pid} ${where}. ` +
      'Use that one, end it first (evalsaga down), or give this one another state folder or EVALSAGA_HOME.',
  );
}
