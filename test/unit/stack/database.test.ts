import { execFileSync } from 'node:child_process';
import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { homePaths } from '../../../src/home/paths';
import { faultInLog, databaseAdvice, databaseFault, faultOfFile } from '../../../src/stack/database';
import { freshFolder } from '../../support/folders';

/** The embedded server's database, with the damage that occurs in practice. */

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => {
  folder = await freshFolder('database');
});
afterAll(() => folder.dispose());

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
  expect(faultOfFile(cut)).toMatch(/damaged \(8192 of \d+ bytes/);
  await writeFile(cut, 'not a database, but long enough to have a header of one hundred bytes'.repeat(3));
  expect(faultOfFile(cut)).toContain('no SQLite file');
});

test('a database whose last pages are in its write-ahead log is complete', async () => {
  const file = database('logged.db');
  await truncate(file, 8192);
  await writeFile(`${file}-wal`, '');
  expect(faultOfFile(file)).toContain('is damaged');
  await writeFile(`${file}-wal`, 'pages');
  expect(faultOfFile(file)).toBeUndefined();
});

test('the advice moves the database with its journals', async () => {
  const home = homePaths({ EVALSAGA_HOME: path.join(folder.path, 'home with spaces') });
  await mkdir(home.root);
  for (const suffix of ['', '-wal', '-shm']) await writeFile(home.temporalDatabase + suffix, 'garbage');
  const advice = await databaseAdvice(home, 'is damaged');
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
  const fault = await databaseFault(home);
  expect(await databaseAdvice(home, fault ?? '')).toMatch(
    /damaged[^]*Lost with it: the state and history[^]*mv '.*temporal\.db' '.*\.damaged'[^]*evalsaga sweep[^]*cleanup ID --force/,
  );
});

test.each([
  ['sql schema: file is not a database (26)', 'is damaged'],
  ['attempt to write a readonly database (8)', "can't be opened for writing"],
  ['unable to open database file: out of memory (14)', "can't be opened for writing"],
  ['database or disk is full (13)', 'finds no space on its disk'],
  ['listening on 127.0.0.1:7233', undefined],
])('%s', (log, complaint) => {
  expect(faultInLog(log)).toBe(complaint);
});
