import type { ServerResponse } from 'node:http';
import { createLeptonClient } from '../../src/lepton/client';
import type { LeptonClient } from '../../src/lepton/types';
import { sendJson, startServer, type TestServer } from './http-server';

export interface StorageServer {
  readonly client: LeptonClient;
  /** Content by path below `/out`; a path that ends in `/` is an empty folder. */
  readonly files: Map<string, Buffer | string>;
  readonly server: TestServer;
  /** Handles a request instead of the server; returns whether it did. */
  intercept: (method: string, path: string, response: ServerResponse) => boolean;
  /** Returns the GETs of files, in order. */
  fetched(): string[];
}

/** Starts a storage API backed by a map, which allows faults and names that no real file system has. */
export async function startStorage(): Promise<StorageServer> {
  const files = new Map<string, Buffer | string>();
  const fetched: string[] = [];
  const storage: StorageServer = {
    files,
    intercept: () => false,
    fetched: () => fetched,
    server: await startServer(({ method, url }, response) => {
      // The parent's listing shows whether the folder exists.
      if (new URL(url, 'http://x').pathname === '/w/storage/fs/')
        return sendJson(response, files.size === 0 ? [] : [{ type: 'dir', name: 'out', path: '/out' }]);
      const path = decodeURIComponent(new URL(url, 'http://x').pathname.replace('/w/storage/fs/out', '')).replace(
        /^\//,
        '',
      );
      if (storage.intercept(method, path, response)) return;
      const content = files.get(path);
      if (content !== undefined) {
        if (method === 'GET') fetched.push(path);
        response.writeHead(200, { 'content-length': String(Buffer.byteLength(content)) });
        return void response.end(method === 'HEAD' ? undefined : content);
      }
      const prefix = path === '' ? '' : `${path}/`;
      const inside = [...files.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
      if (inside.length === 0) return sendJson(response, { code: 'ResourceNotFound', message: 'none' }, 404);
      const names = new Map(inside.filter((key) => key !== '').map((key) => [key.split('/')[0], key.includes('/')]));
      const entries = [...names].map(([name, isDir]) => ({
        type: isDir ? 'dir' : 'file',
        name,
        path: `/out/${prefix}${name}`,
      }));
      return sendJson(response, entries);
    }),
    client: undefined as unknown as LeptonClient,
  };
  const client = createLeptonClient({ url: `${storage.server.url}/w`, workspace: 'w', token: 't' });
  return Object.assign(storage, { client });
}
