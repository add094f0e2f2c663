import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { readJsonFile } from '../support/private-file';

/** A line of progress for a person. */
export type Report = (line: string) => void;

export interface ProvisionOnce {
  /** Absolute path of the folder to make. Anything below it may hold links into it only if they are relative: it is made elsewhere and renamed. */
  readonly folder: string;
  /** Version of the contents: a folder that was completed with another key is made anew. */
  readonly key: string;
  /** What it is, for progress and errors: `model server`. */
  readonly label: string;
  /** Fills the empty folder `draft`. Must reject when anything of it is missing or wrong. */
  produce(draft: string, report: Report): Promise<void>;
  readonly report?: Report | undefined;
  /** Ends waiting for another process; `produce` has to watch it by itself. */
  readonly signal?: AbortSignal | undefined;
}

/** A holder that was killed counts as gone after this many milliseconds without a sign of life. */
const STALE_MS = 10_000;
const POLL_MS = 200;
const MARKER = '.provisioned.json';

/**
 * Makes a folder exactly once on this machine, whoever asks and however often: one process produces, others wait for its
 * result. What is interrupted, even by SIGKILL, leaves nothing that counts as complete and is started afresh by the next.
 * Resolves to `folder`.
 */
export async function provisionOnce(task: ProvisionOnce): Promise<string> {
  if (await isComplete(task)) return task.folder;
  await mkdir(path.dirname(task.folder), { recursive: true });
  const release = await acquire(task);
  try {
    if (!(await isComplete(task))) await produceAndPublish(task);
  } finally {
    await release();
  }
  return task.folder;
}

/** Whether `folder` is there, complete, and of this version. */
export async function isComplete({ folder, key }: Pick<ProvisionOnce, 'folder' | 'key'>): Promise<boolean> {
  const marker = await readJsonFile(path.join(folder, MARKER)).catch(() => undefined);
  return typeof marker === 'object' && marker !== null && 'key' in marker && marker.key === key;
}

async function acquire(task: ProvisionOnce): Promise<() => Promise<void>> {
  for (let told = false; ; told = true) {
    task.signal?.throwIfAborted();
    try {
      // A compromised lock (this process was suspended) is harmless: drafts are private, and publishing is a rename.
      const release = await lock(task.folder, { realpath: false, stale: STALE_MS, onCompromised: () => undefined });
      return () => release().catch(() => undefined);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
    }
    if (!told) task.report?.(`${task.label}: waiting for another process that is setting it up`);
    await sleep(POLL_MS, undefined, task.signal ? { signal: task.signal } : {});
  }
}

async function produceAndPublish(task: ProvisionOnce): Promise<void> {
  const { folder, key, label } = task;
  await removeLeftovers(folder);
  const draft = `${folder}.draft-${process.pid}-${randomBytes(4).toString('hex')}`;
  await mkdir(draft);
  try {
    await task.produce(draft, (line) => task.report?.(`${label}: ${line}`));
    await writeFile(path.join(draft, MARKER), `${JSON.stringify({ key, label, at: new Date().toISOString() })}\n`);
    await publish({ draft, task });
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function publish({ draft, task }: { draft: string; task: ProvisionOnce }): Promise<void> {
  const outdated = `${task.folder}.draft-${process.pid}-${randomBytes(4).toString('hex')}`;
  const hadOld = await rename(task.folder, outdated).then(
    () => true,
    () => false,
  );
  await rename(draft, task.folder);
  if (hadOld) await rm(outdated, { recursive: true, force: true });
}

/** Drafts of processes that are no more. Called under the lock. */
async function removeLeftovers(folder: string): Promise<void> {
  const prefix = `${path.basename(folder)}.draft-`;
  for (const name of await readdir(path.dirname(folder))) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(name.slice(prefix.length).split('-')[0]);
    if (pid === process.pid || !isAlive(pid))
      await rm(path.join(path.dirname(folder), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
