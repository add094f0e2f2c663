import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';

/** Secrets in files, one per name, as Kubernetes mounts them: the folder that `EVALSAGA_SECRETS_DIR` names. */

export const secretsFolderVariable = 'EVALSAGA_SECRETS_DIR';

/** Bytes of a secret; anything larger is something else. */
const mostBytes = 64 * 1024;

/**
 * Returns the values by name; without the line break that editors add at the end. They are read each time, since a mounted secret may
 * be renewed. Names that can't be variables (`..data`) and files that can't be read are left out.
 */
export async function mountedSecrets(folder: string | undefined): Promise<Readonly<Record<string, string>>> {
  if (!folder) return {};
  const names = await readdir(folder).catch(() => []);
  const read = await Promise.all(
    names
      .filter((name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      .map(async (name) => [name, await secretIn(path.join(folder, name))] as const),
  );
  return Object.fromEntries(read.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

async function secretIn(file: string): Promise<string | undefined> {
  try {
    const found = await stat(file);
    if (!found.isFile() || found.size > mostBytes) return undefined;
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  } catch {
    return undefined;
  }
}
