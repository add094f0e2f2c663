import path from 'node:path';
import type { StoragePlan } from '../contract/plan';
import type { LeptonClient } from '../lepton/types';
import type { MarkedResource } from './marked';

/** Where a run's folder is, when nobody has its plan. */

export type StoragePlace = Pick<StoragePlan, 'fileSystem' | 'path'>;

/** The mounts of the run's jobs say it, as long as there are any; else its folder is looked for by its name. */
export async function findRunFolder(
  platform: LeptonClient,
  { invocation, marked }: { readonly invocation: string; readonly marked: readonly MarkedResource[] },
): Promise<StoragePlace | undefined> {
  return (await folderOfJobs(platform, marked, invocation)) ?? (await searchFolder(platform, invocation));
}

async function folderOfJobs(
  platform: LeptonClient,
  marked: readonly MarkedResource[],
  invocation: string,
): Promise<StoragePlace | undefined> {
  for (const { kind, id } of marked) {
    if (kind !== 'job') continue;
    const job = await platform.getJob(id);
    const mounts = (job?.spec?.['mounts'] ?? []) as readonly { readonly path?: string; readonly from?: string }[];
    const mount = mounts.find((candidate) => candidate.path?.split('/').includes(invocation));
    if (mount?.path !== undefined) return { fileSystem: fileSystemOf(mount.from ?? ''), path: mount.path };
  }
  return undefined;
}

/** The storage API's name for a mount's volume: `node-nfs:NAME` → `NAME`, anything else is the default one. Pure. */
const fileSystemOf = (from: string): string => /^node-nfs:(.+)$/.exec(from)?.[1] ?? 'default';

/** Runs write some levels below the root; a file system can be vast, so the search ends after that many folders. */
const search = { deepest: 4, mostFolders: 400 } as const;

async function searchFolder(platform: LeptonClient, invocation: string): Promise<StoragePlace | undefined> {
  if (!(await platform.storage.available())) return undefined;
  const names = new Set([...(await platform.storage.fileSystems()), 'default']);
  for (const fileSystem of names) {
    const found = await searchIn(platform, fileSystem, invocation);
    if (found !== undefined) return { fileSystem, path: found };
  }
  return undefined;
}

async function searchIn(platform: LeptonClient, fileSystem: string, invocation: string): Promise<string | undefined> {
  const open: { readonly folder: string; readonly depth: number }[] = [{ folder: '/', depth: 1 }];
  for (let looked = 0; looked < search.mostFolders; looked += 1) {
    const next = open.shift();
    if (!next) return undefined;
    const entries = (await platform.storage.list(fileSystem, next.folder)) ?? [];
    const folders = entries.filter(({ type }) => type === 'dir').map(({ name }) => path.posix.join(next.folder, name));
    const found = folders.find((folder) => path.posix.basename(folder) === invocation);
    if (found !== undefined) return found;
    if (next.depth < search.deepest) open.push(...folders.map((folder) => ({ folder, depth: next.depth + 1 })));
  }
  return undefined;
}
