import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  UnreadableFile,
  draftFor,
  isDraft,
  readJsonFile,
  streamAtomically,
  writeAtomically,
  writePrivateJson,
} from '../../../src/support/atomic-file';
import { freshFolder } from '../../support/folders';

let root: string;
let dispose: () => Promise<void>;
beforeEach(async () => ({ path: root, dispose } = await freshFolder('atomic')));
afterEach(() => dispose());

const mode = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

test('readers see the old content until all of the new is there', async () => {
  const file = path.join(root, 'file');
  await writeFile(file, 'old');
  await writeAtomically(file, async (draft) => {
    await draft.writeFile('ne');
    expect(await readFile(file, 'utf8')).toBe('old');
    await draft.writeFile('w');
  });
  expect(await readFile(file, 'utf8')).toBe('new');
  expect(await readdir(root)).toEqual(['file']);
});

test('a failure leaves the old content and no draft', async () => {
  const file = path.join(root, 'file');
  await writeFile(file, 'old');
  const failing = async (draft: { writeFile(text: string): Promise<void> }): Promise<void> => {
    await draft.writeFile('half');
    throw new Error('cut off');
  };
  await expect(writeAtomically(file, failing)).rejects.toThrow('cut off');
  expect(await readFile(file, 'utf8')).toBe('old');
  expect(await readdir(root)).toEqual(['file']);
});

test('a stream is stored with its size and digest', async () => {
  const content = await streamAtomically(path.join(root, 'file'), (save) =>
    save(
      (async function* () {
        yield Buffer.from('a');
        yield Buffer.from('bc');
        await Promise.resolve();
      })(),
    ),
  );
  const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  expect(content).toEqual({ size: 3, sha256 });
});

test('private files and their folders are only for the owner, even if the file had other permissions', async () => {
  const file = path.join(root, 'a', 'b', 'secret.json');
  await writePrivateJson(file, { is: 'secret' });
  await chmod(file, 0o644);
  await writePrivateJson(file, { is: 'another' });
  expect(await readJsonFile(file)).toEqual({ is: 'another' });
  expect(await Promise.all([file, path.dirname(file), path.join(root, 'a')].map(mode))).toEqual([0o600, 0o700, 0o700]);
});

test('a missing file reads as undefined; one that is not JSON is an error', async () => {
  expect(await readJsonFile(path.join(root, 'none.json'))).toBeUndefined();
  await writeFile(path.join(root, 'broken.json'), '{');
  await expect(readJsonFile(path.join(root, 'broken.json'))).rejects.toThrow(UnreadableFile);
});

test('a file in place of a folder, or a folder in place of the file, is an error', async () => {
  await writeFile(path.join(root, 'file'), '');
  await expect(writePrivateJson(path.join(root, 'file', 'x.json'), 1)).rejects.toThrow(/EEXIST|ENOTDIR/);
  await mkdir(path.join(root, 'folder'));
  await expect(writePrivateJson(path.join(root, 'folder'), 1)).rejects.toThrow(/EISDIR/);
  expect(await readdir(root)).toEqual(['file', 'folder']);
});

test('drafts of long names are recognised, other names are not', () => {
  expect(isDraft(path.basename(draftFor(`/x/${'n'.repeat(255)}`)))).toBe(true);
  expect(['results.yml', '.hidden.draft', 'x.0123456789ab.draft'].some(isDraft)).toBe(false);
});
