import { link, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newHolder, readHolder, stateOfHolder, type LockHolder } from './lock-holder';
import { makeFolders } from './make-folders';

/**
 * A lock between processes: a file that names its holder. It is held until it is released or the holder's process has ended,
 * however long that is suspended; no time makes it stale. A lock of a process that has ended is taken over at once, by exactly
 * one of those who want it. Threads and callers within one process exclude each other as processes do.
 *
 * How: the file comes into being with its content, as a link to a draft. To take a lock over, a process first acquires a second
 * lock, in the same way, that is named after the token of the holder that has ended; then, if that holder is still the one in
 * the file, it renames its own draft onto the file. Tokens are never used again, so a process that acquires such a second lock late
 * finds another holder in the file, and starts over.
 */

export interface Lock {
  /** Writes a text into the lock for those who find it taken. */
  note(text: string): Promise<void>;
  release(): Promise<void>;
}

export type LockAttempt =
  { readonly kind: 'acquired'; readonly lock: Lock } | { readonly kind: 'held'; readonly holder: LockHolder };

/** The holder is on another machine, so nobody here can tell whether it still exists. */
export class LockedElsewhere extends Error {
  override readonly name = 'LockedElsewhere';

  constructor(file: string, { pid, host, since }: LockHolder) {
    super(
      `Process ${pid} on host ${host} has held the lock ${file} since ${since}, and this host (or container) can't tell whether it still runs. ` +
        `Wait until it is done; if that process has ended, delete the file and try again.`,
    );
  }
}

export interface WaitForLock {
  /** Absolute path. Its folder is made; files whose names begin like it belong to the lock. */
  readonly file: string;
  /** Access rights of folders that are made for the file. Default: the system's. The file itself can be read by whoever can read its folder. */
  readonly folderMode?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called once, when the lock is found taken. */
  readonly onWait?: (() => void) | undefined;
  /** Milliseconds to wait for a holder on another machine. Default 60 000; one on this machine is waited for without limit. */
  readonly elsewhereMs?: number;
}

const pollMs = 100;

/** Waits for the lock. Throws `LockedElsewhere`, and the signal's reason. */
export async function acquireLock(request: WaitForLock): Promise<Lock> {
  const { file, folderMode, signal, onWait, elsewhereMs = 60_000 } = request;
  let current: { readonly token: string; readonly seenAt: number } | undefined;
  for (;;) {
    signal?.throwIfAborted();
    const attempt = await tryLock(file, folderMode);
    if (attempt.kind === 'acquired') return attempt.lock;
    const { holder } = attempt;
    if (current === undefined) onWait?.();
    if (current?.token !== holder.token) current = { token: holder.token, seenAt: Date.now() };
    const isElsewhere = stateOfHolder(holder) === 'elsewhere';
    if (isElsewhere && Date.now() - current.seenAt >= elsewhereMs) throw new LockedElsewhere(file, holder);
    await sleep(pollMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Does the work while holding the lock. */
export async function withLock<T>(request: WaitForLock, work: () => Promise<T>): Promise<T> {
  const lock = await acquireLock(request);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** Acquires the lock if it is free or its holder has ended; otherwise tells who holds it. `folderMode`: see `WaitForLock`. */
export async function tryLock(file: string, folderMode?: number): Promise<LockAttempt> {
  for (;;) {
    const holder = await readHolder(file);
    if (holder !== undefined && stateOfHolder(holder) !== 'gone') return { kind: 'held', holder };
    const attempt = holder === undefined ? await create(file, folderMode) : await takeOver(file, holder);
    if (attempt !== 'changed') return attempt;
  }
}

/** `changed`: somebody else was first. */
type Step = LockAttempt | 'changed';

async function create(file: string, folderMode: number | undefined): Promise<Step> {
  await makeFolders(path.dirname(file), folderMode === undefined ? {} : { mode: folderMode });
  const holder = newHolder();
  try {
    await withDraft(file, holder, (draft) => link(draft, file));
  } catch (error) {
    if (!isRace(error)) throw error;
    // A network file system may report a failure of what it has done.
    if ((await readHolder(file))?.token !== holder.token) return 'changed';
  }
  return { kind: 'acquired', lock: heldLock(file, holder) };
}

/** `EEXIST`: another process was first. `ENOENT`: one that took the lock over removed the draft before it was complete. */
const isRace = (error: unknown): boolean => ['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '');

async function takeOver(file: string, ended: LockHolder): Promise<Step> {
  const second = await tryLock(`${file}.${ended.token}`);
  if (second.kind === 'held') return second;
  try {
    if ((await readHolder(file))?.token !== ended.token) return 'changed';
    const holder = newHolder();
    await withDraft(file, holder, (draft) => rename(draft, file));
    await removeRemains(file);
    return { kind: 'acquired', lock: heldLock(file, holder) };
  } catch (error) {
    if (isRace(error)) return 'changed';
    throw error;
  } finally {
    await second.lock.release();
  }
}

function heldLock(file: string, holder: LockHolder): Lock {
  return {
    note: (text) => withDraft(file, { ...holder, note: text }, (draft) => rename(draft, file)),
    async release() {
      // A user may have deleted the file, and another process has the lock now.
      if ((await readHolder(file))?.token === holder.token) await rm(file, { force: true });
    },
  };
}

/** Writes the holder to a file beside the lock, for `use` to link or rename; the draft is gone afterwards. */
async function withDraft(file: string, holder: LockHolder, use: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${file}.${holder.token}.draft`;
  try {
    const handle = await open(draft, 'wx', 0o644);
    try {
      await handle.writeFile(`${JSON.stringify(holder)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await use(draft);
  } catch (error) {
    // The error of a full disk names no file.
    throw Object.assign(error as NodeJS.ErrnoException, { path: file });
  } finally {
    await rm(draft, { force: true });
  }
}

const remains = /^(?:\.[0-9a-f]{16})+(?:\.draft)?$/;

/**
 * Removes what killed processes left: drafts and second locks. Only the holder of the lock may: while it has the lock, no second
 * lock decides anything, since each serves to take the lock over from a process that no longer has it.
 */
async function removeRemains(file: string): Promise<void> {
  const { dir, base } = path.parse(file);
  for (const name of await readdir(dir)) {
    if (!name.startsWith(base) || !remains.test(name.slice(base.length))) continue;
    const other = path.join(dir, name);
    const holder = await readHolder(other).catch(() => 'unreadable' as const);
    if (holder === undefined) continue;
    if (holder === 'unreadable' || stateOfHolder(holder) === 'gone') await rm(other, { force: true });
  }
}
