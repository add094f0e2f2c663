import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { mountedSecrets } from '../../../src/secrets/mounted';
import { freshFolder } from '../../support/folders';

/** Secrets in files, as Kubernetes mounts them: links to a folder with a name of its own. */

let folder: { path: string; dispose: () => Promise<void> };
beforeAll(async () => (folder = await freshFolder('mounted')));
afterAll(() => folder.dispose());

test('each file is a variable, without the line break at its end; what can be none is left out', async () => {
  const data = path.join(folder.path, '..2026_11_28');
  await mkdir(data);
  await writeFile(path.join(data, 'HF_TOKEN'), 'hf_abc\n');
  await symlink('..2026_11_28', path.join(folder.path, '..data'));
  await symlink('..data/HF_TOKEN', path.join(folder.path, 'HF_TOKEN'));
  await writeFile(path.join(folder.path, 'TWO_LINES'), 'one\r\ntwo\r\n');
  await writeFile(path.join(folder.path, 'not-a-name'), 'x');
  await writeFile(path.join(folder.path, 'LARGE'), Buffer.alloc(100_000, 'x'));
  await mkdir(path.join(folder.path, 'FOLDER'));
  expect(await mountedSecrets(folder.path)).toEqual({ HF_TOKEN: 'hf_abc', TWO_LINES: 'one\r\ntwo' });
});

test('without a folder there are none', async () => {
  expect(await mountedSecrets(undefined)).toEqual({});
  expect(await mountedSecrets(path.join(folder.path, 'none'))).toEqual({});
});
