import { closeSync, createReadStream, existsSync, openSync, readSync, statSync } from 'node:fs';
import { openRuns, unreadableRuns } from '../home/run-store';
import type { HomePaths } from '../home/paths';
import { recordedTeardown } from '../results/scores/recorded';
import { lastLines } from './background-process';
import { isMissing, isRunning, logFile, readRecord } from './record';
import { openPages } from './sqlite-pages';
import { structureOf, type Structure } from './sqlite-structure';

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

/** Returns the fault that the file's header shows, whether or not a server runs; `undefined` if it looks right or does not exist. */
export function faultOfFile(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isFile()) return found.isDirectory() ? 'is a folder, not a file' : 'is no ordinary file';
  const { size } = found;
  if (size === 0) return undefined;
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
  const pages = bytesOf(`${file}-wal`) > 0 ? 0 : counted;
  if (pages * pageBytes > size) return `is damaged (${size} of ${pages * pageBytes} bytes are there)`;
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
 * Returns the fault of a database that no server has open: as `faultOfFile`, and whether its tables are there and their pages
 * are pages of tables. Of a very large database only the first part is looked at.
 */
export function faultAtRest(file: string): string | undefined {
  return unreadable(() => {
    const before = stamp(file);
    const fault = faultOfFile(file) ?? faultOfStructure(file);
    // A server that was started meanwhile changes what is read.
    return fault === undefined || stamp(file) === before ? fault : undefined;
  });
}

function unreadable(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    return `can't be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
  }
}

const stamp = (file: string): string =>
  [file, `${file}-wal`, `${file}-journal`]
    .map((name) => statSync(name, { throwIfNoEntry: false }))
    .map((found) => `${found?.ino} ${found?.size} ${found?.mtimeMs}`)
    .join(', ');

function faultOfStructure(file: string): string | undefined {
  const structure = structureIn(file);
  if (structure === undefined) return undefined;
  const { tables, brokenPage } = structure;
  if (brokenPage !== undefined) return `is damaged (its page ${brokenPage} is unusable)`;
  const missing = tables.size === 0 ? [] : neededTables.filter((name) => !tables.has(name));
  return missing.length > 0
    ? `was written by another version of Temporal (it lacks tables: ${missing.join(', ')})`
    : undefined;
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

/** A shell command that moves a database with its journals, without which it lacks its last changes. */
const moveAway = (file: string): string => {
  const files = ['', '-wal', '-shm', '-journal'].map((suffix) => file + suffix).filter((name) => existsSync(name));
  return `mkdir '${file}.damaged' && mv ${files.map((name) => `'${name}'`).join(' ')} '${file}.damaged'`;
};

/**
 * Returns the fault of this home's database that its file or the server's log shows. While the server runs, only the file's
 * header counts.
 */
export async function databaseFault(home: HomePaths): Promise<string | undefined> {
  const file = home.temporalDatabase;
  const record = await readRecord(home, 'temporal');
  if (isRunning(record)) return unreadable(() => faultOfFile(file));
  const atRest = faultAtRest(file);
  if (atRest !== undefined || !isMissing(record)) return atRest;
  return faultInLog(lastLines(logFile(home, 'temporal'), 20));
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
  const lost = `Lost with it: the state and history of this home's runs${named.length > 0 ? `, of which these are not known to be over: ${named.join(', ')}` : ''}. Results that were fetched are safe.`;
  const anew = `ove it away and start with a new one: ${moveAway(file)}, then evalsaga up. To remove endpoints, jobs and storage of those runs: evalsaga sweep, or ${cleanUp}`;
  if (/another version/.test(fault))
    return [
      what,
      'The `temporal` command that wrote it can still read it: set TEMPORAL_CLI_PATH to one of that version, and nothing is lost.',
      `Otherwise m${anew}`,
      lost,
    ].join('\n');
  return [what, lost, `M${anew}`].join('\n');
}
