import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { checkHome } from '../../../src/home/usable';
import { expandTilde } from '../../../src/support/home-folder';
import { whyNotWritable } from '../../../src/support/writable';
import { freshFolder } from '../../support/folders';

/** Folders that can't hold results or a home. */

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => {
  folder = await freshFolder('writable');
});
afterAll(() => folder.dispose());

test('for a missing folder its nearest existing parent is tried, and nothing is left there', async () => {
  expect(await whyNotWritable(path.join(folder.path, 'a', 'b', 'c'))).toBeUndefined();
  expect(await whyNotWritable(folder.path)).toBeUndefined();
  expect(await readdir(folder.path)).toEqual([]);
});

test('a file, and a folder below one, are not writable', async () => {
  const file = path.join(folder.path, 'file');
  await writeFile(file, '');
  for (const at of [file, path.join(file, 'x', 'y')]) expect(await whyNotWritable(at)).toBe(`${file} is a file`);
});

test('only the superuser can write to a read-only folder', async () => {
  const sealed = path.join(folder.path, 'sealed');
  await mkdir(sealed);
  await chmod(sealed, 0o500);
  const reason = await whyNotWritable(path.join(sealed, 'x'));
  expect(reason).toBe(process.getuid?.() === 0 ? undefined : 'permission denied (EACCES)');
});

test.each(process.platform === 'linux' ? ['/proc/x', '/proc/x/y', '/dev/null/x'] : ['/dev/null/x'])(
  '%s, where a recursive mkdir would never return',
  async (at) => {
    expect(await whyNotWritable(at)).toMatch(/no folders can be made there|is a file|permission|not permitted|ENOT/);
  },
);

test('the error about an impossible home names its variable', async () => {
  await expect(checkHome({ root: '/dev/null/x' })).rejects.toThrow(/home folder \/dev\/null\/x.*EVALSAGA_HOME/);
});

test('only a leading tilde is the home folder', () => {
  expect(['~', '~/a', '~b/c', './~', '/~'].map(expandTilde)).toEqual([
    homedir(),
    path.join(homedir(), 'a'),
    '~b/c',
    './~',
    '/~',
  ]);
});
