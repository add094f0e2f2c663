import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { machineIdentity } from '../support/machine-identity';
import type { HomePaths } from './paths';
import { readJsonFile } from '../support/atomic-file';

/**
 * `<id>@<place>`: the id is kept in the home and travels with every copy of it; the place is this folder on this machine,
 * so that a copied home (an image, a backup, a clone) is not taken for the one it was copied from.
 */
export async function homeIdentity(home: Pick<HomePaths, 'root'>): Promise<string> {
  const id = await homeId(home);
  const root = await realpath(home.root);
  return `${id}@${createHash('sha256').update(`${machineIdentity()}\n${root}`).digest('hex').slice(0, 12)}`;
}

async function homeId({ root }: Pick<HomePaths, 'root'>): Promise<string> {
  const file = path.join(root, 'id.json');
  const stored = (await readJsonFile(file)) as { id?: string } | undefined;
  if (stored?.id) return stored.id;
  // A launcher and its worker may get here at the same time: the first link wins, and both read that file.
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await mkdir(root, { recursive: true, mode: 0o700 });
  await writeFile(draft, `${JSON.stringify({ id: randomUUID() }, null, 2)}\n`, { mode: 0o600 });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(draft, { force: true });
  }
  const { id } = (await readJsonFile(file)) as { id?: string };
  if (!id) throw new Error(`${file} has no id. Delete it, and a new one is made.`);
  return id;
}
