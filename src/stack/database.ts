import { closeSync, createReadStream, openSync, readSync, statSync } from 'node:fs';
import type { HomePaths } from '../home/paths';
import { lastLines } from './background-process';
import { isMissing, isRunning, logFile, readRecord } from './record';
import { openPages } from './sqlite-pages';
import { structureOf, type Structure } from './sqlite-structure';

/** Faults of the embedded server's database; database-advice.ts says what they mean for runs. */

export interface DatabaseFault {
  /** `no access`: the file can't be read or written. `full`: its disk is. */
  readonly kind: 'damaged' | 'another version' | 'no access' | 'full';
  /** What is wrong with it, to follow its name in a sentence. */
  readonly words: string;
}

const damaged = (words: string): DatabaseFault => ({ kind: 'damaged', words });
const anotherVersion = (words = ''): DatabaseFault => ({
  kind: 'another version',
  words: `was written by another version of Temporal${words}`,
});

/** What the server logs about its database before it ends, and what to tell users instead. */
const loggedFaults: readonly (readonly [RegExp, DatabaseFault])[] = [
  [/file is not a database|database disk image is malformed|SQLITE_(NOTADB|CORRUPT)/i, damaged('is damaged')],
  [
    /readonly database|SQLITE_READONLY|unable to open database|SQLITE_CANTOPEN/i,
    { kind: 'no access', words: "can't be opened for writing" },
  ],
  [
    /database or disk is full|SQLITE_FULL|no space left on device/i,
    { kind: 'full', words: 'finds no space on its disk' },
  ],
  [/no such (table|column)|schema version|sql schema version compatibility/i, anotherVersion()],
];

/** Returns the fault of the database that a server's log reports, if any. Pure. */
export const faultInLog = (log: string): DatabaseFault | undefined =>
  loggedFaults.find(([text]) => text.test(log))?.[1];

const magic = 'SQLite format 3\0';

/** Returns the fault that the file's header shows, whether or not a server runs; `undefined` if it looks right or does not exist. */
export function faultOfFile(file: string): DatabaseFault | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile()) return damaged(found.isDirectory() ? 'is a folder, not a file' : 'is no ordinary file');
  const { size } = found;
  if (size === 0) return undefined;
  const header = Buffer.alloc(100);
  const opened = openSync(file, 'r');
  try {
    readSync(opened, header, 0, header.length, 0);
  } finally {
    closeSync(opened);
  }
  if (header.toString('latin1', 0, magic.length) !== magic) return damaged('is damaged (it is no SQLite file)');
  const stored = header.readUInt16BE(16);
  const pageBytes = stored === 1 ? 65_536 : stored;
  // The number of pages is valid only if both counters agree.
  const counted = header.readUInt32BE(24) === header.readUInt32BE(92) ? header.readUInt32BE(28) : 0;
  // Pages that the file lacks may still be in the write-ahead log, as after a kill in the middle of a checkpoint.
  const pages = bytesOf(`${file}-wal`) > 0 ? 0 : counted;
  if (pages * pageBytes > size) return damaged(`is damaged (${size} of ${pages * pageBytes} bytes are there)`);
  return undefined;
}

/** Tables without which no version of the server works. */
const neededTables = [
  'cluster_metadata_info',
  'current_executions',
  'executions',
  'executions_visibility',
  'history_node',
  'history_tree',
  'namespaces',
  'shards',
  'task_queues',
];

/**
 * Returns the fault of a database that no server has open: as `faultOfFile`, whether it can be written, whether its tables are there, and
 * whether their pages are pages of tables. Of a very large database only the first part is looked at.
 */
export function faultAtRest(file: string): DatabaseFault | undefined {
  return unreadable(() => {
    const before = stamp(file);
    const fault = faultOfFile(file) ?? faultOfAccess(file) ?? faultOfStructure(file);
    // A server that was started meanwhile changes what is read.
    return fault === undefined || stamp(file) === before ? fault : undefined;
  });
}

function unreadable(look: () => DatabaseFault | undefined): DatabaseFault | undefined {
  try {
    return look();
  } catch (error) {
    return { kind: 'no access', words: `can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)})` };
  }
}

/** Opens the file for writing, and writes nothing. */
function faultOfAccess(file: string): DatabaseFault | undefined {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  try {
    closeSync(openSync(file, 'r+'));
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { kind: 'no access', words: `can't be opened for writing (${code ?? String(error)})` };
  }
}

const stamp = (file: string): string =>
  [file, `${file}-wal`, `${file}-journal`]
    .map((name) => statSync(name, { throwIfNoEntry: false }))
    .map((found) => `${found?.ino} ${found?.size} ${found?.mtimeMs}`)
    .join(', ');

function faultOfStructure(file: string): DatabaseFault | undefined {
  const structure = structureIn(file);
  if (structure === undefined) return undefined;
  const { tables, brokenPage } = structure;
  if (brokenPage !== undefined) return damaged(`is damaged (its page ${brokenPage} is unusable)`);
  const missing = tables.size === 0 ? [] : neededTables.filter((name) => !tables.has(name));
  return missing.length > 0 ? anotherVersion(` (it lacks tables: ${missing.join(', ')})`) : undefined;
}

function structureIn(file: string): Structure | undefined {
  // A rollback journal means that the file is to be put right by whoever opens it next.
  if (bytesOf(file) === 0 || bytesOf(`${file}-journal`) > 0) return undefined;
  const pages = openPages(file);
  try {
    return pages && structureOf(pages);
  } finally {
    pages?.close();
  }
}

/** Tables that later servers use for schedules. Older databases lack them, and a server doesn't add them. */
const tablesOfSchedules = ['current_chasm_executions'];

/**
 * Returns why schedules, such as that of the sweeps, can't work with this database and this `temporal` command, although runs
 * do: it was made by an older version. `undefined` if they can, or if that can't be told.
 */
export async function scheduleFault(file: string, binary: string): Promise<string | undefined> {
  try {
    if (faultOfFile(file) !== undefined) return undefined;
    const tables = structureIn(file)?.tables ?? new Set();
    const lacking = tables.size === 0 ? [] : tablesOfSchedules.filter((name) => !tables.has(name));
    for (const table of lacking)
      if (await mentions(binary, table))
        return `was made by an older version of Temporal (it lacks the table ${table})`;
  } catch {
    // Reading is a courtesy here: what prevents a start is said elsewhere.
  }
  return undefined;
}

async function mentions(file: string, word: string): Promise<boolean> {
  let before = Buffer.alloc(0);
  for await (const chunk of createReadStream(file, { highWaterMark: 4 * 1024 * 1024 }) as AsyncIterable<Buffer>) {
    const text = Buffer.concat([before, chunk]);
    if (text.includes(word)) return true;
    before = text.subarray(-word.length);
  }
  return false;
}

const bytesOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;

/**
 * Returns the fault of this home's database that its file or the server's log shows. While the server runs, only the file's
 * header counts.
 */
export async function databaseFault(home: HomePaths): Promise<DatabaseFault | undefined> {
  const file = home.temporalDatabase;
  const record = await readRecord(home, 'temporal');
  if (isRunning(record)) return unreadable(() => faultOfFile(file));
  const atRest = faultAtRest(file);
  if (atRest !== undefined || !isMissing(record)) return atRest;
  return faultInLog(lastLines(logFile(home, 'temporal'), 20));
}
