import { createHash, randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod';
import { bootIdentity, isContainer, machineIdentity } from './machine-identity';
import { processIdentity } from './process-identity';

/** Who holds a lock, as its file says, and whether that process still exists. */

const placeSchema = z.object({
  host: z.string(),
  /** Digest; empty in a container, where neither a machine id nor a host name tells one machine from another. */
  machine: z.string(),
  boot: z.string(),
  /** Processes of one machine see each other's pids only within one namespace; empty where there are none. */
  pidNamespace: z.string(),
});

const holderSchema = placeSchema.extend({
  /** Names this acquisition; never used again. */
  token: z.string().regex(/^[0-9a-f]{16}$/),
  pid: z.number().int().positive(),
  /** See process-identity.ts. */
  identity: z.string(),
  /** ISO 8601. */
  since: z.string(),
  /** What the holder tells those who find the lock taken. */
  note: z.string().optional(),
});

type Place = z.infer<typeof placeSchema>;
export type LockHolder = z.infer<typeof holderSchema>;

/** Returns a new acquisition by this process. */
export function newHolder(): LockHolder {
  const identity = processIdentity(process.pid);
  if (identity === undefined) throw new Error('This process cannot be identified: neither /proc nor ps can be read.');
  const token = randomBytes(8).toString('hex');
  return { ...ownPlace(), token, pid: process.pid, identity, since: new Date().toISOString() };
}

/** Reads the holder from a lock's file; `undefined` if there is no file. Throws if the file isn't a lock's. */
export async function readHolder(file: string): Promise<LockHolder | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new Error(`The lock ${file} can't be read: ${error.message}`, { cause: error });
  });
  if (text === undefined) return undefined;
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(
      `The lock ${file} does not say which process holds it. If no evalsaga command is running on this home, delete the file.`,
      { cause: error },
    );
  }
}

/**
 * - `live`: the process exists, or may do so: it belongs to another user, whose processes are hidden.
 * - `gone`: it has ended; its pid may be another process's by now.
 * - `elsewhere`: it is on another machine or in another container, which can't be looked into from here.
 */
export type HolderState = 'live' | 'gone' | 'elsewhere';

export function stateOfHolder(holder: LockHolder): HolderState {
  switch (comparePlaces(holder, ownPlace())) {
    case 'same':
      return isThere(holder) ? 'live' : 'gone';
    case 'earlier boot':
      return 'gone';
    case 'different':
      return 'elsewhere';
  }
}

/** A host name alone can be two machines' or change with the network, so only with the machine id does it name one. Pure. */
export function comparePlaces(theirs: Place, own: Place): 'same' | 'earlier boot' | 'different' {
  const isMachine = own.machine !== '' && own.machine === theirs.machine && own.host === theirs.host;
  const isBoot = own.boot === theirs.boot && (own.boot !== '' || isMachine);
  if (isBoot) return own.pidNamespace === theirs.pidNamespace ? 'same' : 'different';
  return isMachine ? 'earlier boot' : 'different';
}

let found: Omit<Place, 'host'> | undefined;

/** Reading these starts programs on macOS; the host name can change while a process runs, the others can't. */
function ownPlace(): Place {
  found ??= { machine: machineDigest(), boot: bootIdentity(), pidNamespace: pidNamespace() };
  return { ...found, host: hostname() };
}

const machineDigest = (): string =>
  isContainer() ? '' : createHash('sha256').update(machineIdentity()).digest('hex').slice(0, 16);

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function isThere({ pid, identity }: LockHolder): boolean {
  const current = processIdentity(pid);
  return current === undefined ? isHidden(pid) : current === identity;
}

/** Where /proc hides other users' processes, a signal to one is refused instead of finding no target. */
function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
