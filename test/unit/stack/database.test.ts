import { execFileSync } from 'node:child_process';
import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { homePaths } from '../../../src/home/paths';
import { complaintIn, databaseAdvice, databaseFault, faultOfFile } from '../../../src/stack/database';
import { freshFolder } from '../../support/folders';

/** The embedded server's database, damaged in the ways that happen. */

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => {
  folder = await freshFolder('database');
});
afterAll(() => folder.dispose());

/** A real one, of several pages. */
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

test('one that is whole, empty or not there has no fault', async () => {
  expect(faultOfFile(database('whole.db'))).toBeUndefined();
  expect(faultOfFile(path.join(folder.path, 'none.db'))).toBeUndefined();
  await writeFile(path.join(folder.path, 'empty.db'), '');
  expect(faultOfFile(path.join(folder.path, 'empty.db'))).toBeUndefined();
});

test('one that is cut off, or something else, is damaged', async () => {
  const cut = database('cut.db');
  await truncate(cut, 8192);
  expect(faultOfFile(cut)).toMatch(/damaged \(8192 of \d+ bytes/);
  await writeFile(cut, 'not a database, but long enough to have a header of one hundred bytes'.repeat(3));
  expect(faultOfFile(cut)).toContain('no SQLite file');
});

test('one whose last pages are still in its write-ahead log is whole', async () => {
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

test('what is lost and what helps is said without a word of SQLite', async () => {
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
  expect(complaintIn(log)).toBe(complaint);
});
