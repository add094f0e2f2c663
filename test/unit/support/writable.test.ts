import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { checkHome } from '../../../src/home/usable';
import { withoutTilde } from '../../../src/support/home-folder';
import { whyNotWritable } from '../../../src/support/writable';
import { freshFolder } from '../../support/folders';

/** Folders that results, or a home, can't be in. */

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => {
  folder = await freshFolder('writable');
});
afterAll(() => folder.dispose());

test('what does not exist yet is tried where it would be made, and nothing stays', async () => {
  expect(await whyNotWritable(path.join(folder.path, 'a', 'b', 'c'))).toBeUndefined();
  expect(await whyNotWritable(folder.path)).toBeUndefined();
  expect(await readdir(folder.path)).toEqual([]);
});

test('a file, and what would be below one', async () => {
  const file = path.join(folder.path, 'file');
  await writeFile(file, '');
  for (const at of [file, path.join(file, 'x', 'y')]) expect(await whyNotWritable(at)).toBe(`${file} is a file`);
});

test('a folder that is not to be written: only the superuser can all the same', async () => {
  const sealed = path.join(folder.path, 'sealed');
  await mkdir(sealed);
  await chmod(sealed, 0o500);
  const reason = await whyNotWritable(path.join(sealed, 'x'));
  expect(reason).toBe(process.getuid?.() === 0 ? undefined : 'permission denied (EACCES)');
});

test.each(process.platform === 'linux' ? ['/proc/x', '/proc/x/y', '/dev/null/x'] : ['/dev/null/x'])(
  '%s, where making folders in earnest never ends',
  async (at) => {
    expect(await whyNotWritable(at)).toMatch(/no folders can be made there|is a file|permission|not permitted|ENOT/);
  },
);

test('a home that can not be names its variable', async () => {
  await expect(checkHome({ root: '/dev/null/x' })).rejects.toThrow(/home folder \/dev\/null\/x.*EVALSAGA_HOME/);
});

test('a tilde is the user, and nothing else is', () => {
  expect(['~', '~/a', '~b/c', './~', '/~'].map(withoutTilde)).toEqual([
    homedir(),
    path.join(homedir(), 'a'),
    '~b/c',
    './~',
    '/~',
  ]);
});
