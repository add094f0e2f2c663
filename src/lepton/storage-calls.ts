import { setTimeout as sleep } from 'node:timers/promises';
import { fileSystemSchema } from './answers';
import { folderReads, routeOf } from './folder-reads';
import { defaultTimeoutMs } from './http';
import type { Requests } from './requests';
import type { CallOptions, LeptonStorage } from './types';

/** Statuses with which servers answer that have no storage API. */
const noSuchRoute: readonly number[] = [404, 405, 410, 501];

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
  const { head, exists, list } = folderReads(requests);

  const isAvailableNow = async (options?: CallOptions): Promise<boolean> => {
    // Every workspace with the API has both the root of the default file system and the list of file systems. One of them is
    // proof enough: a gateway without a route does not invent answers.
    const answers = await Promise.all([
      requests.send({ method: 'GET', path: '/storage', acceptedStatuses: noSuchRoute, options }),
      requests.send({ method: 'HEAD', path: routeOf('default', '/'), acceptedStatuses: noSuchRoute, options }),
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
    list,
    read: (fileSystem, path, options) => contentOf(requests, routeOf(fileSystem, path), options),
    async mkdir(fileSystem, path, options) {
      await requests.send({ method: 'PUT', path: routeOf(fileSystem, path), acceptedStatuses: [409], options });
    },
    async write(fileSystem, path, file, options) {
      await requests.send({ method: 'POST', path: routeOf(fileSystem, path), upload: file, options });
    },
    async remove(fileSystem, path, options) {
      const query = { removeall: 'true' };
      const call = {
        method: 'DELETE',
        path: routeOf(fileSystem, path),
        query,
        acceptedStatuses: [404],
        options,
      } as const;
      return (await requests.send(call)).status !== 404;
    },
  };
}

/** Streams a file; throws at its end if fewer or more bytes came than the server had announced. */
async function* contentOf(requests: Requests, route: string, options?: CallOptions): AsyncGenerator<Uint8Array> {
  const call = { method: 'GET', path: route, uncompressed: true, options } as const;
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
}
