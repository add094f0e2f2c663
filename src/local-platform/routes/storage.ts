import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import { Hono } from 'hono';
import { ApiError, invalid, notFound } from '../api-error';
import type { Workspace } from '../workspace/workspace';
import { ok, type PlatformEnv, type PlatformRequest } from './env';

/** Routes of `/storage/{fs}{/path}`: the workspace's files and folders. `base` is the path they are mounted at. */
export function storageRoutes({ storage }: Workspace, base: string): Hono<PlatformEnv> {
  const locate = (c: PlatformRequest): { fileSystem: string; path: string } => splitPath(c.req.path.slice(base.length));
  return new Hono<PlatformEnv>()
    .get('/', async (c) => {
      const usage = await storage.usedBytes();
      const names = await storage.names();
      return c.json(names.map((name) => ({ metadata: { name }, status: { total_usage_bytes: usage } })));
    })
    .get('/du', async (c) =>
      c.json({ metadata: { name: 'default' }, status: { total_usage_bytes: await storage.usedBytes() } }),
    )
    .get('/*', async (c) => {
      const { fileSystem, path } = locate(c);
      const node = await storage.find(fileSystem, path);
      if (node === undefined) throw notFound(`storage ${fileSystem}:${path} was not found`);
      if (node.kind === 'dir') return c.json(await storage.list(fileSystem, path));
      const headers = { 'content-type': 'application/octet-stream', 'content-length': String(node.size) };
      if (c.req.raw.method === 'HEAD') return new Response(null, { headers });
      // Never more than the announced size, even if a job appends to the file meanwhile.
      const content = node.size === 0 ? Readable.from([]) : createReadStream(node.file, { end: node.size - 1 });
      return new Response(Readable.toWeb(content) as ReadableStream<Uint8Array>, { headers });
    })
    .put('/*', async (c) => {
      const { fileSystem, path } = locate(c);
      await storage.makeFolder(fileSystem, path);
      return ok();
    })
    .post('/*', async (c) => {
      const { fileSystem, path } = locate(c);
      await receiveFile(c, (content) => storage.write(fileSystem, path, content));
      return ok();
    })
    .delete('/*', async (c) => {
      const { fileSystem, path } = locate(c);
      await storage.remove(fileSystem, path, { all: c.req.query('removeall') === 'true' });
      return ok();
    });
}

/** Splits `/default/a%20b/c` into `default` and `/a b/c`. Throws 400 for broken escapes and for an escaped slash. */
export function splitPath(raw: string): { fileSystem: string; path: string } {
  const [fileSystem = '', ...parts] = raw.replace(/^\//, '').split('/').map(decodePart);
  return { fileSystem, path: `/${parts.filter((part) => part !== '').join('/')}` };
}

function decodePart(part: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(part);
  } catch {
    throw invalid(`${JSON.stringify(part)} is not a valid part of a path`);
  }
  if (decoded.includes('/')) throw invalid(`${JSON.stringify(part)} is not a valid part of a path`);
  return decoded;
}

/** Streams the part named `file` of a multipart body to `store`. */
async function receiveFile(context: PlatformRequest, store: (content: Readable) => Promise<void>): Promise<void> {
  const type = context.req.header('content-type') ?? '';
  const body = context.req.raw.body;
  if (!/^multipart\/form-data\b.*boundary=/i.test(type) || body === null) {
    throw invalid('an upload must be multipart/form-data with one part named "file"');
  }
  const source = Readable.fromWeb(body);
  await new Promise<void>((resolve, reject) => {
    let stored: Promise<void> | undefined;
    const fail = (error: unknown): void => {
      source.destroy();
      reject(error instanceof ApiError ? error : new ApiError(400, `the upload ended early: ${String(error)}`));
    };
    const parser = new Busboy({ headers: { 'content-type': type }, limits: { files: 1 } });
    parser.on('file', (field, content) => {
      content.on('error', fail);
      if (field !== 'file' || stored !== undefined) content.resume();
      else (stored = store(content)).catch(fail);
    });
    parser.on('error', fail);
    source.on('error', (error) => {
      parser.destroy(error);
      fail(error);
    });
    parser.on('finish', () => {
      if (stored === undefined) reject(invalid('an upload must be multipart/form-data with one part named "file"'));
      else stored.then(resolve, fail);
    });
    source.pipe(parser);
  });
}
