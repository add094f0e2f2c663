import { statfsSync } from 'node:fs';
import { labelAttributes, searchAttributeNames } from '../contract/identity';

/** How SQLite keeps a database whole: with a write-ahead log, or with the rollback journal that is its default. */
export type Journal = 'wal' | 'rollback';

export interface DevServer {
  readonly database: string;
  readonly journal: Journal;
  readonly port: number;
  readonly uiPort: number;
  /** Of the codec server that decrypts payloads for the Web UI. */
  readonly codecPort?: number | undefined;
}

/**
 * File systems that other hosts may write to at the same time, by the type that statfs gives (linux/magic.h): NFS, SMB, CIFS,
 * Lustre, GPFS, Ceph, AFS, 9p and FUSE. A write-ahead log needs memory shared through the file, which they can't be trusted with
 * (https://sqlite.org/wal.html).
 */
const networkFileSystems: readonly number[] = [
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x0bd00bd0, 0x47504653, 0x00c36400, 0x5346414f, 0x01021997, 0x65735546,
];

/** Returns the journal for a database in `folder`, which must exist. */
export const journalFor = (folder: string): Journal => journalOn(statfsSync(folder).type);

/** Pure. `type`: of the file system; other systems than Linux number theirs differently and get the write-ahead log. */
export const journalOn = (type: number, platform: NodeJS.Platform = process.platform): Journal =>
  platform === 'linux' && networkFileSystems.includes(type >>> 0) ? 'rollback' : 'wal';

/**
 * With a write-ahead log a commit is one append and one sync instead of three. `synchronous=FULL` syncs each commit, so that
 * what the server has acknowledged survives a power loss, too.
 */
const pragmas: Readonly<Record<Journal, readonly string[]>> = {
  wal: ['--sqlite-pragma=journal_mode=WAL', '--sqlite-pragma=synchronous=FULL'],
  rollback: ['--sqlite-pragma=journal_mode=DELETE', '--sqlite-pragma=synchronous=FULL'],
};

/** The Temporal CLI's defaults, so that `temporal` commands and bookmarks work without options. */
export const defaultPorts = { grpc: 7233, ui: 8233 } as const;

/** Returns the arguments of `temporal` for the embedded server: on loopback, everything in one SQLite file. Pure. */
export function devServerArguments({ database, journal, port, uiPort, codecPort }: DevServer): string[] {
  return [
    'server',
    'start-dev',
    '--ip=127.0.0.1',
    '--ui-ip=127.0.0.1',
    `--port=${port}`,
    `--ui-port=${uiPort}`,
    `--db-filename=${database}`,
    ...pragmas[journal],
    ...(codecPort === undefined ? [] : [`--ui-codec-endpoint=http://127.0.0.1:${codecPort}`]),
    '--log-level=warn',
    '--log-format=json',
    ...searchAttributeNames.map((name) => `--search-attribute=${name}=Keyword`),
    ...Object.entries(labelAttributes).map(([name, type]) => `--search-attribute=${name}=${type}`),
  ];
}
