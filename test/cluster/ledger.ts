import { appendFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processIdentity } from '../../src/support/process-identity';

/**
 * Clusters whose owner was killed. Each cluster's folder has a list of processes: the one that started it, then its servers. The next
 * cluster to start ends those of owners that are gone.
 */

type Role = 'owner' | 'server';

interface Noted {
  readonly role: Role;
  readonly pid: number;
  /** See `processIdentity`. */
  readonly identity: string;
}

const prefix = 'evalsaga-cluster-';
const listIn = (folder: string): string => path.join(folder, 'processes.jsonl');

/** Makes the folder of a cluster that this process owns. */
export async function openClusterFolder(root = tmpdir()): Promise<string> {
  const folder = await mkdtemp(path.join(root, prefix));
  // PostgreSQL runs as another user.
  await chmod(folder, 0o711);
  note(folder, 'owner', process.pid);
  return folder;
}

/** Notes a server that was just started. */
export const noteServer = (folder: string, pid: number): void => note(folder, 'server', pid);

function note(folder: string, role: Role, pid: number): void {
  const identity = processIdentity(pid);
  if (identity !== undefined)
    appendFileSync(listIn(folder), `${JSON.stringify({ role, pid, identity } satisfies Noted)}\n`);
}

/** Ends the servers of clusters whose owner no longer runs, and removes their folders; returns these. */
export async function endStaleClusters(root = tmpdir()): Promise<string[]> {
  const ended: string[] = [];
  for (const name of await readdir(root)) {
    if (!name.startsWith(prefix)) continue;
    const folder = path.join(root, name);
    const processes = await notedIn(folder);
    if (processes.length === 0 || processes.some((one) => one.role === 'owner' && isRunning(one))) continue;
    for (const one of processes) if (one.role === 'server') await end(one);
    await rm(folder, { recursive: true, force: true });
    ended.push(folder);
  }
  return ended;
}

/** Nothing for folders of other users, and for one that another process has just removed. */
async function notedIn(folder: string): Promise<Noted[]> {
  try {
    if ((await stat(folder)).uid !== process.getuid?.()) return [];
    const lines = (await readFile(listIn(folder), 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Noted);
  } catch {
    return [];
  }
}

const isRunning = ({ pid, identity }: Noted): boolean => processIdentity(pid) === identity;

/** SIGQUIT makes PostgreSQL end its connections' processes at once, and Temporal's server end. */
async function end(one: Noted): Promise<void> {
  for (const [signal, looks] of [
    ['SIGQUIT', 100],
    ['SIGKILL', 50],
  ] as const) {
    if (isRunning(one)) process.kill(one.pid, signal);
    for (let look = 0; look < looks && isRunning(one); look += 1) await sleep(100);
  }
}
