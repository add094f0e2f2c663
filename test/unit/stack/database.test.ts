import { execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdir, open, readdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { homePaths, type HomePaths } from '../../../src/home/paths';
import { databaseFault, faultAtRest, faultInLog, faultOfFile, scheduleFault } from '../../../src/stack/database';
import { databaseAdvice } from '../../../src/stack/database-advice';
import { freshFolder } from '../../support/folders';

/** The embedded server's database, with the damage that occurs in practice. */

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => {
  folder = await freshFolder('database');
});
afterAll(() => folder.dispose());

/** Returns what a user is told about the home's database. */
async function adviceFor(home: HomePaths): Promise<string> {
  const fault = await databaseFault(home);
  if (fault === undefined) throw new Error('it has no fault');
  return databaseAdvice(home, fault);
}

/** Creates a real database of several pages. */
function database(name: string): string {
  const file = path.join(folder.path, name);
  const script = `import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('create table t (x)')
db.executemany('insert into t values (?)', [('y' * 1000,)] * 100)
db.commit()`;
  execFileSync('python3', ['-c', script, file]);
  return file;
}

test('a complete, an empty and a missing database have no fault', async () => {
  expect(faultOfFile(database('whole.db'))).toBeUndefined();
  expect(faultOfFile(path.join(folder.path, 'none.db'))).toBeUndefined();
  await writeFile(path.join(folder.path, 'empty.db'), '');
  expect(faultOfFile(path.join(folder.path, 'empty.db'))).toBeUndefined();
});

test('a truncated database and another kind of file are damaged', async () => {
  const cut = database('cut.db');
  await truncate(cut, 8192);
  expect(faultOfFile(cut)?.words).toMatch(/damaged \(8192 of \d+ bytes/);
  await writeFile(cut, 'not a database, but long enough to have a header of one hundred bytes'.repeat(3));
  expect(faultOfFile(cut)?.words).toContain('no SQLite file');
});

test('a database that may only be read is no use for a server, and nothing is lost', async () => {
  const file = database('protected.db');
  await chmod(file, 0o444);
  // A superuser may write it all the same, so the look is another user's.
  const user = process.geteuid?.();
  await chmod(folder.path, 0o755);
  process.seteuid?.(user === 0 ? 65_534 : (user ?? 0));
  const fault = faultAtRest(file);
  process.seteuid?.(user ?? 0);
  if (fault === undefined) throw new Error('it has no fault');
  expect(fault).toEqual({ kind: 'no access', words: "can't be opened for writing (EACCES)" });
  expect(await databaseAdvice(homePaths({ EVALSAGA_HOME: folder.path }), fault)).toMatch(/Nothing is lost/);
});

test('a database whose last pages are in its write-ahead log is complete', async () => {
  const file = database('logged.db');
  await truncate(file, 8192);
  await writeFile(`${file}-wal`, '');
  expect(faultOfFile(file)?.kind).toBe('damaged');
  await writeFile(`${file}-wal`, 'pages');
  expect(faultOfFile(file)).toBeUndefined();
});

test('the advice moves the database with its journals', async () => {
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home with spaces') });
  await mkdir(home.root);
  for (const suffix of ['', '-wal', '-shm']) await writeFile(home.temporalDatabase + suffix, 'garbage');
  const advice = await databaseAdvice(home, { kind: 'damaged', words: 'is damaged' });
  execFileSync('sh', ['-c', /mkdir [^]*?\.damaged' && mv [^]*?\.damaged'/.exec(advice)?.[0] ?? 'false']);
  expect((await readdir(home.root)).sort()).toEqual(['temporal.db.damaged']);
  expect((await readdir(`${home.temporalDatabase}.damaged`)).sort()).toEqual([
    'temporal.db',
    'temporal.db-shm',
    'temporal.db-wal',
  ]);
});

test('the advice says what is lost and what to do', async () => {
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home') });
  await mkdir(home.root);
  await writeFile(home.temporalDatabase, 'garbage'.repeat(40));
  expect(await adviceFor(home)).toMatch(
    /damaged[^]*Lost with it: the state and history[^]*mv '.*temporal\.db' '.*\.damaged'[^]*evalsaga sweep[^]*cleanup ID --force/,
  );
});

test.each([
  ['sql schema: file is not a database (26)', 'damaged'],
  ['attempt to write a readonly database (8)', 'no access'],
  ['unable to open database file: out of memory (14)', 'no access'],
  ['database or disk is full (13)', 'full'],
  ['sql schema version compatibility check failed', 'another version'],
  ['listening on 127.0.0.1:7233', undefined],
])('%s', (log, kind) => {
  expect(faultInLog(log)?.kind).toBe(kind);
});

/** Every table that no version of the server works without, and one that later versions need for schedules. */
const tables = [
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

/** Creates a database with such tables, two levels deep, and an index. `leavesLog`: its last pages are only in the write-ahead log. */
function serverDatabase(name: string, { names = tables, leavesLog = false } = {}): string {
  const file = path.join(folder.path, name);
  const script = `import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('pragma journal_mode=' + ('wal' if sys.argv[2] == 'true' else 'delete'))
for name in sys.argv[3:]:
  db.execute(f'create table {name} (id text primary key, x text default "{"long, so that it takes another page " * 200}")')
  db.executemany(f'insert into {name} values (?, ?)', [(str(row) * 20, 'y' * 900) for row in range(40)])
db.commit()
sys.stdout.flush()
os._exit(0)`;
  execFileSync('python3', ['-c', script, file, String(leavesLog), ...names]);
  return file;
}

const page = 4096;

async function zero(file: string, { from, pages }: { readonly from: number; readonly pages: number }): Promise<void> {
  const opened = await open(file, 'r+');
  try {
    await opened.write(Buffer.alloc(pages * page), 0, pages * page, from * page);
  } finally {
    await opened.close();
  }
}

test('a complete database has no fault at rest, wherever its pages are', async () => {
  expect(faultAtRest(serverDatabase('at-rest.db'))).toBeUndefined();
  const logged = serverDatabase('at-rest-logged.db', { leavesLog: true });
  expect((await readdir(folder.path)).sort()).toContain('at-rest-logged.db-wal');
  expect(faultAtRest(logged)).toBeUndefined();
  // Without the log, the file has no tables yet.
  await copyFile(logged, `${logged}.alone`);
  expect(faultAtRest(`${logged}.alone`)).toBeUndefined();
  expect(faultAtRest(database('no-server.db'))?.kind).toBe('another version');
});

test('pages that were zeroed are found without a server', async () => {
  const file = serverDatabase('zeroed.db');
  await zero(file, { from: 2, pages: 30 });
  expect(faultOfFile(file)).toBeUndefined();
  expect(faultAtRest(file)?.words).toMatch(/^is damaged \(its page \d+ is unusable\)$/);
  const recovered = serverDatabase('to-be-recovered.db');
  await zero(recovered, { from: 2, pages: 30 });
  await writeFile(`${recovered}-journal`, 'what puts it right');
  expect(faultAtRest(recovered)).toBeUndefined();
});

test('a folder in place of the database is named, and moved away by the advice', async () => {
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'folder-home') });
  await mkdir(home.temporalDatabase, { recursive: true });
  const advice = await adviceFor(home);
  expect(advice).toContain('is a folder, not a file');
  execFileSync('sh', ['-c', /mkdir [^]*?\.damaged' && mv [^]*?\.damaged'/.exec(advice)?.[0] ?? 'false']);
  expect(await readdir(home.root)).toEqual(['temporal.db.damaged']);
});

test('a database of another version is told before a server is started, and not called lost', async () => {
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'other-version') });
  await mkdir(home.root);
  await copyFile(serverDatabase('old.db', { names: ['executions'] }), home.temporalDatabase);
  expect(await adviceFor(home)).toMatch(
    /another version of Temporal \(it lacks tables: .*namespaces[^]*TEMPORAL_CLI_PATH[^]*Otherwise move it away[^]*Lost with it/,
  );
});

test('a database that lacks what a newer server needs for schedules', async () => {
  const [older, newer] = [path.join(folder.path, 'older-cli'), path.join(folder.path, 'newer-cli')];
  await writeFile(older, 'no such word');
  await writeFile(newer, `${'x'.repeat(5 * 1024 * 1024)}select from current_chasm_executions`);
  const old = serverDatabase('without.db');
  expect(faultAtRest(old)).toBeUndefined();
  expect(await scheduleFault(old, newer)).toContain('made by an older version of Temporal');
  expect(await scheduleFault(old, older)).toBeUndefined();
  const current = serverDatabase('with.db', { names: [...tables, 'current_chasm_executions'] });
  expect(await scheduleFault(current, newer)).toBeUndefined();
});
