import { posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileSystemSchema, storageEntrySchema } from './answers';
import { defaultTimeoutMs } from './http';
import { segment, type Requests } from './requests';
import type { CallOptions, LeptonStorage } from './types';

/** Statuses with which servers answer that have no storage API. */
const noSuchRoute: readonly number[] = [404, 405, 410, 501];

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

  /** Whether the parent folder lists the path. If the parent seems to be missing as well, its absence is verified in the same way. */
  const isListed = async (fileSystem: string, path: string, options?: CallOptions): Promise<boolean> => {
    const { dir, base } = posix.parse(posix.join('/', path));
    if (base === '') throw contradiction(fileSystem, path);
    if (dir === '/' || (await headSucceeds(fileSystem, dir, options)))
      return (await entriesOf(fileSystem, dir, options)).some(({ name }) => name === base);
    if (await isListed(fileSystem, dir, options)) throw contradiction(fileSystem, dir);
    return false;
  };

  const contradiction = (fileSystem: string, path: string) =>
    requests.invalid(
      { method: 'HEAD', path: pathOf(fileSystem, path) },
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
      const length = headers.get('content-length');
      return status === 200 && length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
    },
    async list(fileSystem, path, options) {
      // What a GET of an absent folder returns is not documented; the service's own client sends HEAD first, too.
      if (!(await exists(fileSystem, path, options))) return undefined;
      return entriesOf(fileSystem, path, options);
    },
    read: (fileSystem, path, options) =>
      requests.stream(
        { method: 'GET', path: pathOf(fileSystem, path), uncompressed: true, options },
        { idleTimeoutMs: options?.timeoutMs ?? defaultTimeoutMs },
      ),
    async mkdir(fileSystem, path, options) {
      await requests.send({ method: 'PUT', path: pathOf(fileSystem, path), acceptedStatuses: [409], options });
    },
    async remove(fileSystem, path, options) {
      const query = { removeall: 'true' };
      await requests.send({
        method: 'DELETE',
        path: pathOf(fileSystem, path),
        query,
        acceptedStatuses: [404],
        options,
      });
    },
  };
}
