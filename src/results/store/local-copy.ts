import { createHash } from 'node:crypto';
import { lstat, readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { sealedSecretsName, storedConfigName } from '../../contract/results-place';
import { contentOfFile, streamAtomically } from '../../support/atomic-file';
import { mapConcurrently } from '../../support/map-concurrently';
import type { ResultsStore, StoredFile, StoreOptions } from './store';
import { StoreError } from './store-error';

/** Copies a run's results from its store to a folder of this machine. */

export interface CopyRequest {
  /** Of the run. */
  readonly store: ResultsStore;
  /** Absolute. */
  readonly folder: string;
  /** Only files that it accepts, by path and bytes. Default: all. */
  readonly only?: ((relative: string, size: number) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onFile?: ((copied: Copied) => void) | undefined;
}

export interface Copied {
  /** Files in the store that belong to the copy. */
  readonly files: number;
  readonly bytes: number;
  /** Of these, files that were not here yet. */
  readonly fetched: number;
}

/** Not results. */
const ownNames: readonly string[] = [sealedSecretsName, storedConfigName, '.fetched.jsonl'];
/** Written last: with it here, everything else is. */
const recordName = 'run.json';

const concurrency = 8;
/** How often a file is asked for whose transfer breaks off. */
const attempts = 4;

/**
 * Copies what is missing here, each file checked by size and by the sha256 that its manifest or the store has; an interrupted copy
 * continues. `run.json` comes last. Rejects with `StoreError`, or a file-system error of this machine.
 */
export async function copyFromStore(request: CopyRequest): Promise<Copied> {
  const { store, signal, only = () => true } = request;
  const listed = (await store.list({ signal })).filter(
    ({ path: at, size }) => isSafe(at) && isResult(at) && only(at, size),
  );
  const digests = await digestsIn(request, listed);
  let copied: Copied = { files: 0, bytes: 0, fetched: 0 };
  const copy = async (file: StoredFile): Promise<void> => {
    const isNew = await copyFile(request, file, digests.get(file.path));
    copied = {
      files: copied.files + 1,
      bytes: copied.bytes + file.size,
      fetched: copied.fetched + (isNew ? 1 : 0),
    };
    request.onFile?.(copied);
  };
  await mapConcurrently(
    listed.filter(({ path: at }) => at !== recordName),
    concurrency,
    copy,
  );
  for (const record of listed.filter(({ path: at }) => at === recordName)) await copy(record);
  return copied;
}

const isResult = (at: string): boolean => !ownNames.includes(path.posix.basename(at));

/** A bucket may hold anything: no name leads out of the folder. */
const isSafe = (at: string): boolean =>
  at !== '' && !at.includes('\0') && at.split('/').every((name) => name !== '' && name !== '.' && name !== '..');

const manifest = z.looseObject({ files: z.array(z.looseObject({ path: z.string(), sha256: z.string() })) });

/** Returns the sha256 of each file that a manifest in the store names. */
async function digestsIn({ store, signal }: CopyRequest, listed: readonly StoredFile[]): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const { path: at } of listed.filter((file) => /^(?:[^/]+\/)?manifest\.json$/.test(file.path))) {
    const parsed = manifest.safeParse(JSON.parse((await readStoredText(store, at, { signal })) ?? '{}'));
    for (const { path: relative, sha256 } of parsed.data?.files ?? [])
      digests.set(path.posix.join(path.posix.dirname(at), relative), sha256);
  }
  return digests;
}

/** Returns whether the file had to be fetched. */
async function copyFile(request: CopyRequest, file: StoredFile, digest: string | undefined): Promise<boolean> {
  const { store, folder, signal } = request;
  const target = path.join(folder, file.path);
  if (await isHere(target, file, digest ?? (await recordedDigest(request, target, file)))) return false;
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      const stored = await store.read(file.path, { signal });
      if (!stored) throw new StoreError('damaged', `${store.place}: ${file.path} is no longer there`);
      await streamAtomically(target, (save) => save(checked(stored.content, file, digest ?? stored.sha256, store)));
      return true;
    } catch (error) {
      const isPassing = error instanceof StoreError && error.kind === 'unavailable';
      if (!isPassing || attempt >= attempts) throw error;
    }
  }
}

async function isHere(target: string, { size }: StoredFile, digest: string | undefined): Promise<boolean> {
  const found = await lstat(target).catch(() => undefined);
  return (
    found?.isFile() === true &&
    found.size === size &&
    digest !== undefined &&
    (await contentOfFile(target)).sha256 === digest
  );
}

/** Asks the store only about files that seem to be here. */
async function recordedDigest(
  { store, signal }: CopyRequest,
  target: string,
  { path: at, size }: StoredFile,
): Promise<string | undefined> {
  const found = await lstat(target).catch(() => undefined);
  return found?.size === size ? (await store.describe(at, { signal }))?.sha256 : undefined;
}

/** Passes the content on, and rejects at its end unless it is what it should be: then nothing is put in place. */
async function* checked(
  content: AsyncIterable<Uint8Array>,
  { path: at, size }: StoredFile,
  digest: string | undefined,
  { place }: ResultsStore,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    bytes += chunk.byteLength;
    yield chunk;
  }
  if (bytes !== size || (digest !== undefined && hash.digest('hex') !== digest))
    throw new StoreError('damaged', `results store ${place}: ${at} arrived with other content than was written`);
}

/** Returns the text of a small file in the store; `undefined` if there is none. */
export async function readStoredText(
  store: ResultsStore,
  relative: string,
  options: StoreOptions = {},
): Promise<string | undefined> {
  const stored = await store.read(relative, options);
  if (!stored) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of stored.content) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Whether a folder of this machine holds a whole copy: its record came last. */
export const isCopied = (folder: string): Promise<boolean> =>
  readFile(path.join(folder, recordName)).then(
    () => true,
    () => false,
  );
