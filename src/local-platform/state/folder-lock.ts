import path from 'node:path';
import type { LockHolder } from '../../support/lock-holder';
import { tryLock } from '../../support/lock';

export interface FolderLock {
  /** Tells those who find the folder locked where this platform can be reached. */
  announce(url: string): Promise<void>;
  release(): Promise<void>;
}

/** One platform per state folder. Rejects, saying where the other platform runs, when there is one. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const file = path.join(folder, 'platform.lock');
  const attempt = await tryLock(file);
  if (attempt.kind === 'held') throw takenError({ folder, file, holder: attempt.holder });
  const { lock } = attempt;
  return { announce: (url) => lock.note(url), release: () => lock.release() };
}

function takenError({ folder, file, holder }: { folder: string; file: string; holder: LockHolder }): Error {
  const where = holder.note === undefined ? 'is starting' : `answers at ${holder.note}`;
  const process = `process ${holder.pid} on host ${holder.host}`;
  return new Error(
    `A local platform already uses ${folder}: ${process} ${where}. ` +
      'Use that one, end it first (evalsaga down), or give this one another state folder or EVALSAGA_HOME. ' +
      `If it was on another host or in another container and has ended, delete ${file}.`,
  );
}
