import { posix } from 'node:path';
import { storageEntrySchema } from './answers';
import { segment, type Requests } from './requests';
import { LeptonError, type LeptonErrorKind } from './lepton-error';
import type { CallOptions, LeptonStorage, StorageEntry } from './types';

/** Failures that may be the answer to the read of a folder that doesn't exist. */
const unclear: readonly LeptonErrorKind[] = ['not_found', 'invalid_request', 'invalid_response', 'conflict', 'server'];

/** Returns the route of a storage path; throws for one that leaves its folder. Pure. */
export function routeOf(fileSystem: string, path: string): string {
  const segments = path.split('/').filter((part) => part !== '');
  if (segments.some((part) => part === '.' || part === '..')) throw new Error(`not a storage path: ${path}`);
  return `/storage/${[fileSystem, ...segments].map(segment).join('/')}${segments.length === 0 ? '/' : ''}`;
}

/** Creates the reads that tell whether a path of workspace storage exists, and what a folder holds: a 404 alone proves nothing. */
export function folderReads(requests: Requests) {
  const head = (fileSystem: string, path: string, options?: CallOptions) =>
    requests.send({
      method: 'HEAD',
      path: routeOf(fileSystem, path),
      acceptedStatuses: [404],
      uncompressed: true,
      options,
    });

  const headSucceeds = async (fileSystem: string, path: string, options?: CallOptions) =>
    (await head(fileSystem, path, options)).status === 200;

  const entriesOf = (fileSystem: string, path: string, options?: CallOptions) =>
    requests.list({ method: 'GET', path: routeOf(fileSystem, path), isCoreRoute: true, options }, storageEntrySchema);

  /**
   * Reads a folder that may not exist; `undefined` for 404. What else the service may answer then is not documented: no entries, or
   * a failure of its own, count as no entries here, and prove nothing.
   */
  const entriesIfAny = async (
    fileSystem: string,
    path: string,
    options?: CallOptions,
  ): Promise<StorageEntry[] | undefined> => {
    const call = { method: 'GET', path: routeOf(fileSystem, path), acceptedStatuses: [404], options } as const;
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
      { method: 'GET', path: routeOf(fileSystem, path) },
      '404, but the folder exists: its contents cannot be read at the moment',
    );

  const exists: LeptonStorage['exists'] = async (fileSystem, path, options) =>
    (await headSucceeds(fileSystem, path, options)) || (await isListed(fileSystem, path, options));

  const list: LeptonStorage['list'] = async (fileSystem, path, options) => {
    const entries = await entriesIfAny(fileSystem, path, options);
    if (entries !== undefined && entries.length > 0) return entries;
    const isThere = entries === undefined ? isListed : exists;
    if (!(await isThere(fileSystem, path, options))) return undefined;
    return entriesOf(fileSystem, path, options);
  };

  return { head, exists, list };
}
