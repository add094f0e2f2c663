import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { isInStore } from '../../contract/results-place';
import { copyFromStore } from './local-copy';
import { openStore, sharedFolder } from './open-store';
import type { TargetSurroundings } from './target';

/** Bytes of the largest file that is copied from a bucket to be read once. */
const mostBytes = 4 * 1024 * 1024;

interface FilesRequest extends TargetSurroundings {
  /** Of a run. */
  readonly place: string;
  /** Milliseconds for copying. */
  readonly withinMs: number;
}

/**
 * Calls `work` with a folder that holds the result files of a run's place. If the place is a bucket, it holds copies of those that are
 * not large and arrive in time; `work` must do with what is there.
 */
export function withResultFiles<T>(
  { place, staging, env, withinMs }: FilesRequest,
  work: (root: string) => Promise<T>,
): Promise<T> {
  const only = (at: string, size: number): boolean =>
    path.posix.basename(at) === 'results.yml' || (at.includes('/') && size <= mostBytes);
  const copy: Copy = (copied) =>
    copyFromStore({ ...copied, only, signal: AbortSignal.timeout(withinMs) }).catch(() => undefined);
  return withFolderOf({ place, staging, env, copy }, work);
}

type Copy = (copied: Pick<Parameters<typeof copyFromStore>[0], 'store' | 'folder'>) => Promise<unknown>;

/** Calls `work` with the folder of a run's place: the place itself, or, if it is a bucket, a temporary folder that `copy` has filled. */
export async function withFolderOf<T>(
  { place, staging, env, copy }: Omit<FilesRequest, 'withinMs'> & { readonly copy: Copy },
  work: (folder: string) => Promise<T>,
): Promise<T> {
  if (!isInStore(place)) return work(place);
  if (place.startsWith('file://')) return work(sharedFolder(place));
  await mkdir(staging, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(path.join(staging, `${process.pid}-`));
  try {
    await copy({ store: await openStore(place, env), folder });
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
