import path from 'node:path';
import type { LockHolder } from '../../support/lock-holder';
import { tryLock } from '../../support/lock';

export interface FolderLock {
  /** Records this platform's URL in the lock, for the error message of later starts. */
  announce(url: string): Promise<void>;
  release(): Promise<void>;
}

/** Locks a state folder for one platform. Rejects if another platform holds it, saying where that one runs. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const file = path.join(folder, 'platform.lock');
  const attempt = await tryLock(file, 0o700);
  if (attempt.kind === 'held') throw takenError({ folder, file, holder: attempt.holder });
  const { lock } = attempt;
  return { announce: (url) => lock.note(url), release: () => lock.release() };
}

function takenError({ folder, file, holder }: { folder: string; file: string; holder: LockHolder }): Error {
  const where = holder.note === undefined ? 'is starting' : `answers at ${holder.note}`;
  const process = `process ${holder.pid} on host ${holder.host}`;
  return new Error(
    `Another local platform uses ${folder}: ${process} ${where}. ` +
      'Use that one, stop it first (evalsaga down), or start this one with another --state folder or EVALSAGA_HOME. ' +
      `If it ran on another host or in another container and has ended, delete ${file}.`,
  );
}
