import { randomBytes } from 'node:crypto';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from './error-message';
import { localFault } from './local-fault';

/** Milliseconds that a disk may take to answer; a network file system whose server is gone never does. */
const answerWithinMs = 10_000;
/** Bytes of the trial: a full disk often still takes an empty file. */
const trialBytes = 64 * 1024;

/**
 * Why nothing can be written to a folder that may not exist yet; `undefined`: it can. Tried for real, in a folder of its own
 * beside what is there already, which is gone again at once: permissions alone tell little of full disks and of /proc.
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
  // Not `recursive`: in /proc, Node would go on with that for ever.
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

/** The folder itself, or the first of those above it that exists. */
async function nearestFolder(folder: string): Promise<string> {
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
