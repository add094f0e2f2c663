import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { lockFolder } from '../../../src/local-platform/state/folder-lock';
import { freshFolder } from '../../support/folders';

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeEach(async () => {
  folder = await freshFolder('folder-lock');
});
afterEach(() => folder.dispose());

test('a second platform on one state folder learns where the first one answers', async () => {
  const first = await lockFolder(folder.path);
  await expect(lockFolder(folder.path)).rejects.toThrow(`platform uses ${folder.path}: process ${process.pid}`);
  await first.announce('http://127.0.0.1:8080/api');
  await expect(lockFolder(folder.path)).rejects.toThrow(/answers at http:\/\/127\.0\.0\.1:8080\/api\..*evalsaga down/);
  await first.release();
  await (await lockFolder(folder.path)).release();
});

test('a platform on another host keeps the folder; the error names host and file', async () => {
  const first = await lockFolder(folder.path);
  const file = path.join(folder.path, 'platform.lock');
  const holder = JSON.parse(await readFile(file, 'utf8')) as object;
  await first.release();
  await writeFile(file, JSON.stringify({ ...holder, host: 'login2', boot: 'another', machine: 'another' }));
  await expect(lockFolder(folder.path)).rejects.toThrow(new RegExp(`on host login2 is starting.*delete ${file}`));
});
