import { randomBytes } from 'node:crypto';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from './error-message';
import { localFault } from './local-fault';

/** Milliseconds that a disk may take to answer; a network file system whose server is down never does. */
const answerWithinMs = 10_000;
/** Bytes that are written as a trial: a full disk often still takes an empty file. */
const trialBytes = 64 * 1024;

/**
 * Returns why nothing can be written to a folder, which need not exist yet; `undefined` if it can. Writes to a temporary folder,
 * since permissions say nothing about full disks or /proc.
 */
export async function whyNotWritable(folder: string): Promise<string | undefined> {
  const late = new AbortController();
  const trial = tryToWrite(folder).then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );
  const silent = sleep(answerWithinMs, `its file system has not answered for ${answerWithinMs / 1000} s`, {
    signal: late.signal,
  }).catch(() => undefined);
  try {
    return await Promise.race([trial, silent]);
  } finally {
    late.abort();
  }
}

async function tryToWrite(folder: string): Promise<void> {
  const parent = await nearestFolder(folder);
  const trial = path.join(parent, `.evalsaga-${randomBytes(6).toString('hex')}`);
  // Not `recursive`: that never returns below /proc (see make-folders.ts).
  await mkdir(trial, { mode: 0o700 });
  try {
    const file = await open(path.join(trial, 'trial'), 'wx', 0o600);
    try {
      await file.writeFile(Buffer.alloc(trialBytes, 1));
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    await rm(trial, { recursive: true, force: true });
  }
}

/** Returns the folder, or its nearest parent that exists. */
export async function nearestFolder(folder: string): Promise<string> {
  for (let at = folder; ; at = path.dirname(at)) {
    const found = await stat(at).catch((error: NodeJS.ErrnoException) => {
      if ((error.code === 'ENOENT' || error.code === 'ENOTDIR') && path.dirname(at) !== at) return undefined;
      throw error;
    });
    if (found?.isDirectory()) return at;
    if (found) throw new NoFolder(`${at} is a file`);
  }
}

class NoFolder extends Error {}

function reasonOf(error: unknown): string {
  if (error instanceof NoFolder) return error.message;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' && syscall === 'mkdir') return 'no folders can be made there (ENOENT)';
  return localFault(error)?.reason ?? messageOf(error);
}
