import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { withLock } from '../support/lock';
import { readJsonFile } from '../support/atomic-file';

/** Receives lines of progress for the user. */
export type Report = (line: string) => void;

export interface ProvisionOnce {
  /**
   * Absolute path of the folder to create. It is created elsewhere and renamed, so links within it must be relative.
   */
  readonly folder: string;
  /** Version of the contents: a folder completed with another key is created again. */
  readonly key: string;
  /** Name for progress and errors, such as `model server`. */
  readonly label: string;
  /** Fills the empty folder `draft`. Must reject if anything is missing or wrong. */
  produce(draft: string, report: Report): Promise<void>;
  readonly report?: Report | undefined;
  /** Aborts waiting for another process; `produce` must watch the signal itself. */
  readonly signal?: AbortSignal | undefined;
}

const MARKER = '.provisioned.json';

/**
 * Creates a folder exactly once on this machine: one process produces it, others wait for its result. An interruption,
 * even by SIGKILL, leaves nothing that counts as complete; the next caller starts over. Resolves to `folder`.
 */
export async function provisionOnce(task: ProvisionOnce): Promise<string> {
  if (await isComplete(task)) return task.folder;
  await mkdir(path.dirname(task.folder), { recursive: true });
  const lock = {
    file: `${task.folder}.setup.lock`,
    signal: task.signal,
    onWait: () => task.report?.(`${task.label}: waiting for another process that is setting it up`),
  };
  await withLock(lock, async () => {
    if (!(await isComplete(task))) await produceAndPublish(task);
  });
  return task.folder;
}

/** Returns whether `folder` exists, is complete, and has this version. */
export async function isComplete({ folder, key }: Pick<ProvisionOnce, 'folder' | 'key'>): Promise<boolean> {
  const marker = await readJsonFile(path.join(folder, MARKER)).catch(() => undefined);
  return typeof marker === 'object' && marker !== null && 'key' in marker && marker.key === key;
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

/** Removes the drafts of killed processes. Called with the lock held, so that no other process has one. */
async function removeLeftovers(folder: string): Promise<void> {
  const prefix = `${path.basename(folder)}.draft-`;
  const parent = path.dirname(folder);
  const left = (await readdir(parent)).filter((name) => name.startsWith(prefix));
  await Promise.all(left.map((name) => rm(path.join(parent, name), { recursive: true, force: true })));
}
