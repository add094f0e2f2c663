import { execFileSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { link, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { HomePaths } from './paths';
import { readJsonFile } from '../support/private-file';

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
  // A launcher and its worker may both be the first: whoever links the file first decides, and both read it.
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

/** Stable on one machine. Containers of one image can share a machine id, so there the host name counts as well. */
function machineIdentity(): string {
  const id = process.platform === 'darwin' ? macId() : linuxId();
  const isContainer = ['/.dockerenv', '/run/.containerenv'].some((file) => existsSync(file));
  const isPod = process.env['KUBERNETES_SERVICE_HOST'] !== undefined;
  return id === '' || isContainer || isPod ? `${id} ${hostname()}` : id;
}

function linuxId(): string {
  for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
    try {
      const id = readFileSync(file, 'utf8').trim();
      if (id !== '') return id;
    } catch {
      // The next one, or the host's name.
    }
  }
  return '';
}

function macId(): string {
  try {
    const listed = execFileSync('/usr/sbin/ioreg', ['-rd1', '-c', 'IOPlatformExpertDevice'], { encoding: 'utf8' });
    return /"IOPlatformUUID" = "([^"]+)"/.exec(listed)?.[1] ?? '';
  } catch {
    return '';
  }
}
