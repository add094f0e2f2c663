import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { defaultSkips } from '../../contract/skip-results';
import type { LeptonClient } from '../../lepton/types';
import { contentOfFile, readJsonFile } from '../../support/atomic-file';
import { mapConcurrently } from '../../support/map-concurrently';
import { fetchTaskResults, type FetchRequest } from './fetch';
import { skipRule } from './skip-rules';

/**
 * What the evaluator and its harness remember of their requests, by which another job asks only the rest. Of a task that did not
 * succeed it comes home, into a folder of its own beside the results, and is put into the storage of the run that tries it again.
 */

/** Folder of the caches below a task's results. */
export const cachesFolder = 'resume';

/** Bytes; more is not brought home: teardown does not wait for it, and the requests can be asked again. */
const maxCacheBytes = 512 * 1024 * 1024;

/** Names of the caches, as NVIDIA's evaluator and the language-model harness write them: what is not fetched as a result. */
const cacheNames = defaultSkips;

type CacheRequest = Pick<FetchRequest, 'client' | 'fileSystem' | 'path' | 'secrets' | 'signal' | 'onProgress'> & {
  /** Local folder of the task's results. */
  readonly target: string;
};

/** Brings the caches home; returns how many files came, 0 if there are none or they are too large. */
export async function fetchCaches(request: CacheRequest): Promise<number> {
  const target = path.join(request.target, cachesFolder);
  const top = await request.client.storage.list(request.fileSystem, request.path, { signal: request.signal });
  const isCache = skipRule(cacheNames);
  if (!(top ?? []).some(({ type, name }) => isCache(type === 'dir' ? 'dir' : 'file', name))) return 0;
  const fetched = await fetchTaskResults({
    ...request,
    target,
    only: cacheNames,
    skip: [],
    maxBytes: maxCacheBytes,
    openJournal: undefined,
  });
  if (fetched?.incomplete === null && fetched.files > 0) return fetched.files;
  // A part of a database is worth nothing.
  await rm(target, { recursive: true, force: true });
  return 0;
}

const manifestSchema = z.looseObject({
  files: z.array(z.looseObject({ path: z.string(), size: z.number(), sha256: z.string() })),
});

export interface CachesToRestore {
  readonly client: Pick<LeptonClient, 'storage'>;
  /** Local folder of the caches: `resume` below the results of the task that did not succeed. */
  readonly source: string;
  readonly fileSystem: string;
  /** The task's folder in storage. */
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

/** Puts caches into a task's storage, each file checked by size and sha256; returns how many. None is put there if one is damaged. */
export async function restoreCaches(request: CachesToRestore): Promise<number> {
  const { client, source, fileSystem, path: folder, signal } = request;
  const manifest = manifestSchema.safeParse(await readJsonFile(path.join(source, 'manifest.json')));
  const files = (manifest.data?.files ?? []).filter(({ path: at }) => !/(?:^|\/)\.\.?(?:\/|$)/.test(at));
  for (const { path: at, size, sha256 } of files) {
    const here = await contentOfFile(path.join(source, at));
    if (here.size !== size || here.sha256 !== sha256) throw new Error(`${path.join(source, at)} is damaged`);
  }
  for (const at of foldersOf(folder, files)) await client.storage.mkdir(fileSystem, at, { signal });
  await mapConcurrently(files, 4, async ({ path: at }) => {
    signal?.throwIfAborted();
    await client.storage.write(fileSystem, path.posix.join(folder, at), path.join(source, at), { signal });
  });
  return files.length;
}

/** The folders of the files, outer ones first. */
function foldersOf(folder: string, files: readonly { readonly path: string }[]): readonly string[] {
  const all = new Set<string>([folder]);
  for (const { path: at } of files) {
    const parts = path.posix.dirname(at).split('/');
    parts.forEach((_, depth) => {
      const inner = parts.slice(0, depth + 1).join('/');
      if (inner !== '.') all.add(path.posix.join(folder, inner));
    });
  }
  return [...all];
}
