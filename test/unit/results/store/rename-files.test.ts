import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { folderStore } from '../../../../src/results/store/folder-store';
import { renameIn, renameInStore } from '../../../../src/results/store/rename-files';
import { freshFolder } from '../../../support/folders';

let folder: Awaited<ReturnType<typeof freshFolder>>;
let place: string;
let staging: string;
beforeEach(async () => {
  folder = await freshFolder('rename-files');
  place = path.join(folder.path, 'place');
  staging = path.join(folder.path, 'staging');
  for (const made of [place, staging]) await mkdir(made);
});
afterEach(() => folder.dispose());

const newName = (name: string): string | undefined => (name.startsWith('a.') ? name.replace('a.', 'b.') : undefined);
const { signal } = new AbortController();
const ways = {
  'a folder': () => renameIn(place, newName),
  'a store': () => renameInStore({ store: folderStore(place), folder: staging, newName, signal }),
};

test.each(Object.entries(ways))('files of %s are renamed, but none is replaced', async (_, rename) => {
  for (const name of ['a.log', 'a.json', 'b.json', 'c.log']) await writeFile(path.join(place, name), `was ${name}`);
  for (const round of [1, 2]) {
    const names = [...(await rename())].sort();
    expect([round, names]).toEqual([round, ['a.json', 'b.json', 'b.log', 'c.log']]);
    expect((await readdir(place)).sort()).toEqual(names);
  }
  expect(await readFile(path.join(place, 'b.log'), 'utf8')).toBe('was a.log');
  expect(await readFile(path.join(place, 'b.json'), 'utf8')).toBe('was b.json');
});

test('a store brings the renamed file to the folder, where what follows is added to it', async () => {
  await writeFile(path.join(place, 'a.log'), 'saved');
  await ways['a store']();
  expect(await readFile(path.join(staging, 'b.log'), 'utf8')).toBe('saved');
});

test.each(Object.entries(ways))('%s that is not there has no files', async (_, rename) => {
  await folder.dispose();
  expect(await rename()).toEqual([]);
});
