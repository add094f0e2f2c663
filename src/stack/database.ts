import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { openRuns, unreadableRuns } from '../home/run-store';
import type { HomePaths } from '../home/paths';
import { recordedTeardown } from '../results/scores/recorded';
import { lastLines } from './background-process';
import { isRunning, logFile, readRecord } from './record';

/** Faults of the embedded server's database, and what they mean for runs. */

/** What the server logs about its database before it ends, and what to tell users instead. */
const loggedFaults: readonly (readonly [RegExp, string])[] = [
  [/file is not a database|database disk image is malformed|SQLITE_(NOTADB|CORRUPT)/i, 'is damaged'],
  [/readonly database|SQLITE_READONLY|unable to open database|SQLITE_CANTOPEN/i, "can't be opened for writing"],
  [/database or disk is full|SQLITE_FULL|no space left on device/i, 'finds no space on its disk'],
  [
    /no such (table|column)|schema version|sql schema version compatibility/i,
    'was written by another version of Temporal',
  ],
];

/** Returns the fault of the database that a server's log reports, if any. Pure. */
export const faultInLog = (log: string): string | undefined => loggedFaults.find(([text]) => text.test(log))?.[1];

const magic = 'SQLite format 3\0';

/** Returns the fault that the file itself shows, whether or not a server runs; `undefined` if it looks right or does not exist. */
export function faultOfFile(file: string): string | undefined {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined || size === 0) return undefined;
  const header = Buffer.alloc(100);
  const opened = openSync(file, 'r');
  try {
    readSync(opened, header, 0, header.length, 0);
  } finally {
    closeSync(opened);
  }
  if (header.toString('latin1', 0, magic.length) !== magic) return 'is damaged (it is no SQLite file)';
  const stored = header.readUInt16BE(16);
  const pageBytes = stored === 1 ? 65_536 : stored;
  // The number of pages is valid only if both counters agree.
  const counted = header.readUInt32BE(24) === header.readUInt32BE(92) ? header.readUInt32BE(28) : 0;
  // Pages that the file lacks may still be in the write-ahead log, as after a kill in the middle of a checkpoint.
  const pages = logBytes(file) > 0 ? 0 : counted;
  if (pages * pageBytes > size) return `is damaged (${size} of ${pages * pageBytes} bytes are there)`;
  return undefined;
}

/** A shell command that moves a database with its journals, without which it lacks its last changes. */
const moveAway = (file: string): string => {
  const files = ['', '-wal', '-shm', '-journal'].map((suffix) => file + suffix).filter((name) => existsSync(name));
  return `mkdir '${file}.damaged' && mv ${files.map((name) => `'${name}'`).join(' ')} '${file}.damaged'`;
};

const logBytes = (file: string): number => statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;

/** Returns the fault of this home's database that its file or the server's log shows. While the server runs, only the file counts. */
export async function databaseFault(home: HomePaths): Promise<string | undefined> {
  const record = await readRecord(home, 'temporal');
  const ofFile = unreadable(() => faultOfFile(home.temporalDatabase));
  if (ofFile !== undefined || record === undefined || record.stopped || isRunning(record)) return ofFile;
  return faultInLog(lastLines(logFile(home, 'temporal'), 20));
}

function unreadable(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    return `can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
  }
}

/** Describes what a fault (see `databaseFault`) costs, and what to do. */
export async function databaseAdvice(home: HomePaths, fault: string): Promise<string> {
  const file = home.temporalDatabase;
  const what = `The database of this home's Temporal server, ${file}, ${fault}.`;
  if (/no space/.test(fault)) return `${what} Nothing is lost: free some space, then evalsaga up.`;
  if (/opened for writing|can't be read/.test(fault))
    return `${what} Nothing is lost: correct its permissions, then evalsaga up.`;
  const runs = await openRuns(home);
  const open = await Promise.all(
    runs.map(async ({ plan }) => ((await recordedTeardown(plan, home)) ? [] : [plan.invocation])),
  );
  const unreadable = (await unreadableRuns(home)).map(({ invocation }) => invocation);
  const named = [...open.flat(), ...unreadable].slice(0, 10);
  const cleanUp =
    named.length > 0 ? named.map((id) => `evalsaga cleanup ${id} --force`).join(', ') : 'evalsaga cleanup ID --force';
  return [
    what,
    `Lost with it: the state and history of this home's runs${named.length > 0 ? `, of which these are not known to be over: ${named.join(', ')}` : ''}. Results that were fetched are safe.`,
    `Move it away and start with a new one: ${moveAway(file)}, then evalsaga up. To remove endpoints, jobs and storage of those runs: evalsaga sweep, or ${cleanUp}`,
  ].join('\n');
}
