import { fileSystemSchema, storageEntrySchema } from './answers';
import { defaultTimeoutMs } from './http';
import { segment, type Requests } from './requests';
import type { CallOptions, LeptonStorage } from './types';

/** How a server without these routes answers. */
const noSuchApi: readonly number[] = [404, 405, 410, 501];

/** Workspace storage, for workspaces whose API has it. */
export function storageCalls(requests: Requests): LeptonStorage {
  const pathOf = (fileSystem: string, path: string) => {
    const segments = path.split('/').filter((part) => part !== '');
    if (segments.some((part) => part === '.' || part === '..')) throw new Error(`not a storage path: ${path}`);
    return `/storage/${[fileSystem, ...segments].map(segment).join('/')}${segments.length === 0 ? '/' : ''}`;
  };

  const head = (fileSystem: string, path: string, options?: CallOptions) =>
    requests.send({ method: 'HEAD', path: pathOf(fileSystem, path), alsoFine: [404], asStored: true, options });

  const exists: LeptonStorage['exists'] = async (fileSystem, path, options) =>
    (await head(fileSystem, path, options)).status === 200;

  return {
    async available(options) {
      // The root of the default file system is there on every workspace that has the API, the listing of file systems too.
      const answers = await Promise.all([
        requests.send({ method: 'GET', path: '/storage', alsoFine: noSuchApi, options }),
        requests.send({ method: 'HEAD', path: pathOf('default', '/'), alsoFine: noSuchApi, options }),
      ]);
      return answers.every(({ status }) => !noSuchApi.includes(status));
    },
    async fileSystems(options) {
      const call = { method: 'GET', path: '/storage', alsoFine: noSuchApi, options } as const;
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
      // What a GET of an absent folder answers is not documented; the service's own client asks HEAD first.
      if (!(await exists(fileSystem, path, options))) return undefined;
      const call = { method: 'GET', path: pathOf(fileSystem, path), alsoFine: [404], options } as const;
      const answer = await requests.json(call);
      return answer === undefined ? undefined : requests.items(call, answer, storageEntrySchema);
    },
    read: (fileSystem, path, options) =>
      requests.stream(
        { method: 'GET', path: pathOf(fileSystem, path), asStored: true, options },
        { quietMs: options?.timeoutMs ?? defaultTimeoutMs },
      ),
    async mkdir(fileSystem, path, options) {
      await requests.send({ method: 'PUT', path: pathOf(fileSystem, path), alsoFine: [409], options });
    },
    async remove(fileSystem, path, options) {
      const query = { removeall: 'true' };
      await requests.send({ method: 'DELETE', path: pathOf(fileSystem, path), query, alsoFine: [404], options });
    },
  };
}
