import { execa } from 'execa';
import { chown, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/support/ports';
import { startServer, type ServerProcess } from './server-process';

export interface Database {
  readonly port: number;
  /** Resolves once it answers. */
  start(): Promise<void>;
  /** SIGKILL to it and what it has started: it recovers from its log at the next start. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export const databaseUser = 'temporal';

/**
 * Makes a PostgreSQL of its own below `folder`, listening on loopback alone. It refuses to run as root, and then runs as the user
 * `postgres`. Nothing is flushed to the disk: what is tried is the death of processes, not of the machine.
 */
export async function openDatabase({ programs, folder }: { programs: string; folder: string }): Promise<Database> {
  const data = path.join(folder, 'postgres');
  const as = await unprivileged();
  await mkdir(data);
  if ('uid' in as) await chown(data, as.uid, as.gid);
  const initdb = ['-D', data, '-U', databaseUser, '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8'];
  await execa(path.join(programs, 'initdb'), initdb, { ...as, cwd: data });
  const port = await freePort([]);
  const settings = ['fsync=off', 'listen_addresses=127.0.0.1', `unix_socket_directories=`, 'max_connections=200'];
  let server: ServerProcess | undefined;
  const isUp = () =>
    execa(path.join(programs, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)], { reject: false }).then(
      ({ exitCode }) => exitCode === 0,
    );
  return {
    port,
    async start() {
      const options = settings.flatMap((setting) => ['-c', setting]);
      const args = ['-D', data, '-p', String(port), ...options];
      server = startServer(path.join(programs, 'postgres'), args, { folder, ...as, cwd: data });
      await untilTrue('PostgreSQL answers', isUp);
    },
    // The processes of its connections must die with it, or they hold its memory.
    kill: async () => server?.end('SIGKILL', 'group'),
    // Closes connections instead of waiting for them.
    close: async () => server?.end('SIGINT'),
  };
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Waits for at most a minute. */
export async function untilTrue(what: string, look: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (await look()) return;
    await sleep(200);
  }
  throw new Error(`not within a minute: ${what}`);
}

async function unprivileged(): Promise<User | Record<never, never>> {
  if (process.getuid?.() !== 0) return {};
  const idOf = async (flag: string): Promise<number> => Number((await execa('id', [flag, 'postgres'])).stdout);
  return { uid: await idOf('-u'), gid: await idOf('-g') };
}
