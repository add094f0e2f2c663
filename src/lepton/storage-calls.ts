import { posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileSystemSchema, storageEntrySchema } from './answers';
import { defaultTimeoutMs } from './http';
import { segment, type Requests } from './requests';
import { LeptonError, type LeptonErrorKind } from './lepton-error';
import type { CallOptions, LeptonStorage, StorageEntry } from './types';

/** Statuses with which servers answer that have no storage API. */
const noSuchRoute: readonly number[] = [404, 405, 410, 501];

/** Failures that may be the answer to the read of a folder that doesn't exist. */
const unclear: readonly LeptonErrorKind[] = ['not_found', 'invalid_request', 'invalid_response', 'conflict', 'server'];

/** Returns the announced length of a body in bytes; `undefined` if there is none, or it is that of an encoded one. */
function lengthIn(headers: { get(name: string): string | null }): number | undefined {
  const length = headers.get('content-length');
  const isPlain = ['', 'identity'].includes(headers.get('content-encoding') ?? '');
  return isPlain && length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
}

/** Delays between checks for a missing storage API, in milliseconds: one wrong answer must not change how results are transferred. */
const availabilityRetryDelaysMs = [1_000, 2_000];

/** Creates the calls about workspace storage. */
export function storageCalls(requests: Requests): LeptonStorage {
  const pathOf = (fileSystem: string, path: string) => {
    const segments = path.split('/').filter((part) => part !== '');
    if (segments.some((part) => part === '.' || part === '..')) throw new Error(`not a storage path: ${path}`);
    return `/storage/${[fileSystem, ...segments].map(segment).join('/')}${segments.length === 0 ? '/' : ''}`;
  };

  const head = (fileSystem: string, path: string, options?: CallOptions) =>
    requests.send({
      method: 'HEAD',
      path: pathOf(fileSystem, path),
      acceptedStatuses: [404],
      uncompressed: true,
      options,
    });

  const headSucceeds = async (fileSystem: string, path: string, options?: CallOptions) =>
    (await head(fileSystem, path, options)).status === 200;

  const entriesOf = (fileSystem: string, path: string, options?: CallOptions) =>
    requests.list({ method: 'GET', path: pathOf(fileSystem, path), isCoreRoute: true, options }, storageEntrySchema);

  /**
   * Reads a folder that may not exist; `undefined` for 404. What else the service may answer then is not documented: no entries, or
   * a failure of its own, count as no entries here, and prove nothing.
   */
  const entriesIfAny = async (
    fileSystem: string,
    path: string,
    options?: CallOptions,
  ): Promise<StorageEntry[] | undefined> => {
    const call = { method: 'GET', path: pathOf(fileSystem, path), acceptedStatuses: [404], options } as const;
    try {
      const answer = await requests.json(call);
      return answer === undefined ? undefined : requests.items(call, answer, storageEntrySchema);
    } catch (error) {
      if (error instanceof LeptonError && unclear.includes(error.kind)) return [];
      throw error;
    }
  };

  /** Whether the parent folder lists the path. If the parent seems to be missing as well, its absence is verified in the same way. */
  const isListed = async (fileSystem: string, path: string, options?: CallOptions): Promise<boolean> => {
    const { dir, base } = posix.parse(posix.join('/', path));
    if (base === '') throw contradiction(fileSystem, path);
    if (dir === '/') return (await entriesOf(fileSystem, dir, options)).some(({ name }) => name === base);
    const siblings = await entriesIfAny(fileSystem, dir, options);
    if (siblings !== undefined && siblings.length > 0) return siblings.some(({ name }) => name === base);
    if (siblings !== undefined && (await headSucceeds(fileSystem, dir, options)))
      return (await entriesOf(fileSystem, dir, options)).some(({ name }) => name === base);
    if (await isListed(fileSystem, dir, options)) throw contradiction(fileSystem, dir);
    return false;
  };

  const contradiction = (fileSystem: string, path: string) =>
    requests.invalid(
      { method: 'GET', path: pathOf(fileSystem, path) },
      '404, but the folder exists: its contents cannot be read at the moment',
    );

  const exists: LeptonStorage['exists'] = async (fileSystem, path, options) =>
    (await headSucceeds(fileSystem, path, options)) || (await isListed(fileSystem, path, options));

  const isAvailableNow = async (options?: CallOptions): Promise<boolean> => {
    // Every workspace with the API has both the root of the default file system and the list of file systems. One of them is
    // proof enough: a gateway without a route does not invent answers.
    const answers = await Promise.all([
      requests.send({ method: 'GET', path: '/storage', acceptedStatuses: noSuchRoute, options }),
      requests.send({ method: 'HEAD', path: pathOf('default', '/'), acceptedStatuses: noSuchRoute, options }),
    ]);
    return answers.some(({ status }) => !noSuchRoute.includes(status));
  };

  return {
    async available(options) {
      for (const pauseMs of availabilityRetryDelaysMs) {
        if (await isAvailableNow(options)) return true;
        await sleep(pauseMs, undefined, { signal: options?.signal });
      }
      return isAvailableNow(options);
    },
    async fileSystems(options) {
      const call = { method: 'GET', path: '/storage', acceptedStatuses: noSuchRoute, options } as const;
      const listed = (await requests.json(call)) ?? [];
      return requests.items(call, listed, fileSystemSchema).flatMap(({ metadata }) => metadata?.name ?? []);
    },
    exists,
    async size(fileSystem, path, options) {
      const { status, headers } = await head(fileSystem, path, options);
      return status === 200 ? lengthIn(headers) : undefined;
    },
    async list(fileSystem, path, options) {
      const entries = await entriesIfAny(fileSystem, path, options);
      if (entries !== undefined && entries.length > 0) return entries;
      const isThere = entries === undefined ? isListed : exists;
      if (!(await isThere(fileSystem, path, options))) return undefined;
      return entriesOf(fileSystem, path, options);
    },
    async *read(fileSystem, path, options) {
      const call = { method: 'GET', path: pathOf(fileSystem, path), uncompressed: true, options } as const;
      let announced: number | undefined;
      let received = 0;
      const source = requests.stream(call, {
        idleTimeoutMs: options?.timeoutMs ?? defaultTimeoutMs,
        onHeaders: (headers) => (announced = lengthIn(headers)),
      });
      for await (const chunk of source) {
        received += chunk.byteLength;
        yield chunk;
      }
      if (announced !== undefined && announced !== received)
        throw requests.invalid(call, `${received} bytes came of ${announced}`);
    },
    async mkdir(fileSystem, path, options) {
      await requests.send({ method: 'PUT', path: pathOf(fileSystem, path), acceptedStatuses: [409], options });
    },
    async write(fileSystem, path, file, options) {
      await requests.send({ method: 'POST', path: pathOf(fileSystem, path), upload: file, options });
    },
    async remove(fileSystem, path, options) {
      const query = { removeall: 'true' };
      const call = {
        method: 'DELETE',
        path: pathOf(fileSystem, path),
        query,
        acceptedStatuses: [404],
        options,
      } as const;
      return (await requests.send(call)).status !== 404;
    },
  };
}
