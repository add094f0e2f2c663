import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPromise, type Entry, type ZipFile } from 'yauzl';
import { z } from 'zod';
import { archiveManifest, maxPackedBytes, maxPackedFiles, resultsArchive } from '../../contract/results-archive';
import { LeptonError } from '../../lepton/lepton-error';
import { retryDelayMs } from '../../lepton/retry-timing';
import type { LeptonClient } from '../../lepton/types';
import { draftFor, type FileContent } from '../../support/atomic-file';
import { makeFolder } from './target-folder';

/** Reads the archive that a job has made of its results (contract/results-archive.ts). The files themselves are still in storage. */

export interface ArchiveRequest {
  readonly client: Pick<LeptonClient, 'storage'>;
  readonly fileSystem: string;
  /** The task's folder, absolute in the file system. */
  readonly path: string;
  /** Absolute local folder, where the archive is kept while it is read. */
  readonly target: string;
  /** An archive that holds more is not used. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of each piece that arrives. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** A file in an archive, as the archive's own list describes it: what is read has to be compared with that. */
export interface PackedFile extends FileContent {
  /** Relative to the task's folder, with `/`. */
  readonly path: string;
  readonly content: () => AsyncIterable<Uint8Array>;
}

export interface Archive {
  readonly files: ReadonlyMap<string, PackedFile>;
  close(): Promise<void>;
}

/** Readings of an archive that doesn't arrive whole. Its files can always be fetched one by one. */
const readings = 2;

/** Milliseconds without an answer, or without a piece of it, after which a reading is given up: less than for a single file. */
const silenceMs = 10_000;

/** Longest pause before the second one, milliseconds. */
const longestPauseMs = 5_000;

/** Bytes that the list, and what a zip archive itself takes, may add to those of the files. */
const besides = 16 * 1024 * 1024;

/** Returns the archive of a task's folder; `undefined` if there is none that can be used. Rejects only with the signal's reason. */
export async function fetchArchive(request: ArchiveRequest): Promise<Archive | undefined> {
  const { signal } = request;
  for (let reading = 1; ; reading += 1) {
    try {
      return await fetchOnce(request);
    } catch (error) {
      signal?.throwIfAborted();
      if (reading === readings || !mayPass(error)) return undefined;
      const { kind, retryAfterMs, pace } = error;
      const delayMs = retryDelayMs({ kind, attempt: reading, retryAfterMs, pace, random: Math.random });
      await sleep(Math.min(delayMs, longestPauseMs), undefined, { signal });
    }
  }
}

const mayPass = (error: unknown): error is LeptonError =>
  error instanceof LeptonError && ['network', 'server', 'rate_limited', 'invalid_response'].includes(error.kind);

/** The archive is not what a job's script makes, or holds more than is allowed. */
class UnusableArchive extends Error {
  override readonly name = 'UnusableArchive';
}

async function fetchOnce(request: ArchiveRequest): Promise<Archive | undefined> {
  const draft = draftFor(path.join(request.target, resultsArchive));
  const discard = () => rm(draft, { force: true });
  let zip: ZipFile | undefined;
  try {
    await download(request, draft);
    zip = await openPromise(draft, { autoClose: false, strictFileNames: true });
    const files = await filesOf(zip, Math.min(request.maxBytes, maxPackedBytes));
    const opened = zip;
    const close = async (): Promise<void> => {
      opened.close();
      await discard();
    };
    return { files, close };
  } catch (error) {
    zip?.close();
    await discard();
    throw error;
  }
}

async function download(
  { client, fileSystem, path: folder, target, signal, onBytes }: ArchiveRequest,
  draft: string,
): Promise<void> {
  const source = client.storage.read(fileSystem, path.posix.join(folder, resultsArchive), {
    signal,
    timeoutMs: silenceMs,
  });
  const chunks = source[Symbol.asyncIterator]();
  try {
    // Nothing is made here before it is known that there is an archive.
    let next = await chunks.next();
    await makeFolder(target, '');
    const handle = await open(draft, 'wx');
    try {
      for (let bytes = 0; !next.done; next = await chunks.next()) {
        bytes += next.value.byteLength;
        if (bytes > maxPackedBytes + besides) throw new UnusableArchive('larger than a script makes it');
        await handle.writeFile(next.value);
        onBytes?.(next.value.byteLength);
      }
    } finally {
      await handle.close();
    }
  } finally {
    await chunks.return?.(undefined);
  }
}

const manifestSchema = z.object({
  version: z.literal(1),
  files: z
    .array(
      z.object({
        path: z.string(),
        size: z.number().int().nonnegative(),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
        entry: z.string(),
      }),
    )
    .max(maxPackedFiles),
});

async function filesOf(zip: ZipFile, most: number): Promise<ReadonlyMap<string, PackedFile>> {
  if (zip.entryCount > maxPackedFiles + 1) throw new UnusableArchive('too many entries');
  const entries = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry);
  const { files } = await manifestOf(zip, entries.get(archiveManifest));
  if (files.reduce((sum, { size }) => sum + size, 0) > most) throw new UnusableArchive('holds more than is allowed');
  return new Map(
    files.flatMap(({ entry: name, ...file }) => {
      const entry = entries.get(name);
      // A small entry can unpack to a great deal: one of another size is not even begun.
      const isUsable = entry?.uncompressedSize === file.size && entry.canDecodeFileData();
      return isUsable ? [[file.path, { ...file, content: () => contentOf(zip, entry) }] as const] : [];
    }),
  );
}

async function manifestOf(zip: ZipFile, entry: Entry | undefined): Promise<z.infer<typeof manifestSchema>> {
  if (entry === undefined || entry.uncompressedSize > besides) throw new UnusableArchive('without a list of contents');
  const chunks: Uint8Array[] = [];
  for await (const chunk of contentOf(zip, entry)) chunks.push(chunk);
  const parsed = manifestSchema.safeParse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  if (!parsed.success) throw new UnusableArchive('its list of contents is not of a known form');
  return parsed.data;
}

async function* contentOf(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  for await (const chunk of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Uint8Array>) yield chunk;
}
