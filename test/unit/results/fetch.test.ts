import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { LeptonError } from '../../../src/lepton/lepton-error';
import { saveLog } from '../../../src/results/logs/save-log';
import { fetchTaskResults, type FetchRequest } from '../../../src/results/transfer/fetch';
import { draftFor } from '../../../src/support/atomic-file';
import { freshFolder } from '../../support/folders';
import { sendJson } from '../../support/http-server';
import { startStorage, type StorageServer } from '../../support/storage-server';

let storage: StorageServer;
let folder: { path: string; dispose: () => Promise<void> };
let target: string;

beforeEach(async () => {
  storage = await startStorage();
  folder = await freshFolder('fetch');
  target = path.join(folder.path, '0-arc');
});
afterEach(async () => {
  await storage.server.close();
  await folder.dispose();
});

const fetchAll = (more: Partial<FetchRequest> = {}) =>
  fetchTaskResults({
    client: storage.client,
    fileSystem: 'fs',
    path: '/out',
    target,
    secrets: [],
    maxBytes: 10_000_000,
    ...more,
  });

const atHome = async () =>
  (await readdir(target, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(target, path.join(entry.parentPath, entry.name)))
    .sort();

const manifest = async () =>
  JSON.parse(await readFile(path.join(target, 'manifest.json'), 'utf8')) as {
    bytes: number;
    files: { path: string; size: number; sha256: string }[];
    skipped: { path: string; reason: string }[];
  };

const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');

test('resolves to undefined for a missing folder, and writes nothing', async () => {
  expect(await fetchAll()).toBeUndefined();
  await expect(readdir(target)).rejects.toThrow('ENOENT');
});

test('fetches the tree byte for byte, scores first, without caches, and lists all of it in the manifest', async () => {
  const binary = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 256));
  const content: Record<string, Buffer | string> = {
    'model/samples_arc_2025-11-25T01:02:03.4.jsonl': binary,
    'a file with späces & signs#?%.txt': 'x',
    'empty.json': '',
    'results.yml': 'results: {}',
    'two\nlines\\.txt': 'odd',
    'manifest.json': '{"theirs": true}',
  };
  for (const [name, bytes] of Object.entries(content)) storage.files.set(name, bytes);
  for (const name of ['cache/a', 'response_stats_cache/b', 'lm_cache_rank0.db']) storage.files.set(name, 'c');

  const progress: number[] = [];
  const fetched = await fetchAll({ onProgress: ({ bytes }) => progress.push(bytes) });
  expect(fetched).toEqual({
    files: 6,
    bytes: 300_031,
    manifest: path.join(target, 'manifest.json'),
    skipped: ['cache', 'lm_cache_rank0.db', 'response_stats_cache'],
    incomplete: null,
  });
  expect(await atHome()).toEqual([
    'a file with späces & signs#?%.txt',
    'empty.json',
    'manifest.json',
    'manifest.json.remote',
    'model/samples_arc_2025-11-25T01:02:03.4.jsonl',
    'results.yml',
    'two%0Alines%5C.txt',
  ]);
  expect(storage.fetched()[0]).toBe('results.yml');
  expect(await readFile(path.join(target, 'model/samples_arc_2025-11-25T01:02:03.4.jsonl'))).toEqual(binary);
  const { bytes, files, skipped } = await manifest();
  expect(bytes).toBe(300_031);
  expect(files).toContainEqual({
    path: 'model/samples_arc_2025-11-25T01:02:03.4.jsonl',
    size: 300_000,
    sha256: sha256(binary),
  });
  expect(skipped.map((entry) => entry.path)).toEqual(['cache', 'lm_cache_rank0.db', 'response_stats_cache']);
  expect(Math.max(...progress)).toBe(300_031);
});

test("what can't be searched for secrets stays in storage, named with the reason, also in a second call", async () => {
  const packed = gzipSync('acc 0.5\n'.repeat(1_000));
  storage.files.set('results.yml', 'results: {}');
  // The beginning of an archive with one entry: the directory at its end is missing.
  const cut = Buffer.alloc(90);
  cut.write('PK\u0003\u0004');
  cut.writeUInt16LE(8, 8);
  cut.writeUInt16LE(5, 26);
  storage.files.set('samples.zip', cut);
  storage.files.set('trace.gz', Buffer.concat([packed, Buffer.from('and more that is not packed')]));
  const secrets = ['hf_CANARYhub0123456789abcdefghijkl'];
  for (const round of [1, 2]) {
    const fetched = await fetchAll({ secrets });
    expect({ round, incomplete: fetched?.incomplete }).toEqual({
      round,
      incomplete:
        '3 files of /out are home, and the rest stays in storage: samples.zip (not searched for secrets: it is damaged), trace.gz (not searched for secrets: a part of it is damaged)',
    });
    const { left } = (await manifest()) as unknown as { left: unknown };
    expect(left).toEqual([
      { path: 'samples.zip', reason: 'not searched for secrets: it is damaged' },
      { path: 'trace.gz', reason: 'not searched for secrets: a part of it is damaged' },
    ]);
  }
});

test('a cut connection is an error and leaves no partial file; the next call continues from there', async () => {
  for (let at = 0; at < 8; at += 1) storage.files.set(`file-${at}.txt`, `content ${at}`);
  let cuts = 1;
  storage.intercept = (method, name, response) => {
    if (method !== 'GET' || name !== 'file-6.txt' || cuts === 0) return false;
    cuts -= 1;
    response.writeHead(200, { 'content-length': '9' });
    response.write('cont', () => response.socket?.destroy());
    return true;
  };
  await expect(fetchAll()).rejects.toMatchObject({ name: 'LeptonError', kind: 'network' });
  expect(await atHome()).not.toContain('file-6.txt');
  expect((await atHome()).filter((name) => name.endsWith('.draft'))).toEqual([]);

  const before = storage.fetched().length;
  expect(await fetchAll()).toMatchObject({ files: 8, bytes: 72 });
  expect(storage.fetched().length - before).toBeLessThanOrEqual(4);
  expect(storage.fetched().slice(before)).toContain('file-6.txt');
  expect((await atHome()).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('does not fetch again what is unchanged; fetches what has changed on either side', async () => {
  for (const name of ['same', 'grown', 'damaged']) storage.files.set(name, 'twelve bytes');
  await fetchAll();
  storage.files.set('grown', 'more than twelve bytes');
  await writeFile(path.join(target, 'damaged'), 'twelve BYTES');
  const before = storage.fetched().length;
  await fetchAll();
  expect(storage.fetched().slice(before).sort()).toEqual(['damaged', 'grown']);
  expect(await readFile(path.join(target, 'grown'), 'utf8')).toBe('more than twelve bytes');
  expect(await readFile(path.join(target, 'damaged'), 'utf8')).toBe('twelve bytes');
});

test('a folder that is still being written does not count as complete', async () => {
  storage.files.set('first', '1');
  storage.intercept = (method, name) => {
    if (method === 'GET' && name === 'first') storage.files.set('second', '2');
    return false;
  };
  expect(await fetchAll()).toMatchObject({ files: 2 });

  let writes = 0;
  storage.intercept = (method, name) => {
    if (method === 'GET' && name === '') storage.files.set(`another-${(writes += 1)}`, 'x');
    return false;
  };
  await expect(fetchAll()).rejects.toThrow('something is still writing there');
});

test('of a writer that has ended, each file is one request; the list of names is read twice all the same', async () => {
  for (const name of ['results.yml', 'run_config.yml', 'metrics.json']) storage.files.set(name, 'content');
  expect(await fetchAll({ isSettled: true })).toMatchObject({ files: 3, incomplete: null });
  const asked = storage.server.seen.map(({ method, url }) => `${method} ${url.replace('/w/storage/fs/out', '')}`);
  expect(asked.sort()).toEqual(['GET ', 'GET ', 'GET /metrics.json', 'GET /results.yml', 'GET /run_config.yml']);

  // What an earlier call fetched is still compared with the platform.
  storage.files.set('metrics.json', 'more content');
  await fetchAll({ isSettled: true });
  expect(await readFile(path.join(target, 'metrics.json'), 'utf8')).toBe('more content');
});

test('a file that ends before its announced size is an error, and not home', async () => {
  storage.files.set('a', 'four here');
  storage.intercept = (method, name, response) => {
    if (method !== 'GET' || name !== 'a') return false;
    response.writeHead(200, { 'content-length': '9' });
    response.write('four', () => response.socket?.end());
    return true;
  };
  await expect(fetchAll()).rejects.toMatchObject({ name: 'LeptonError' });
  expect(await atHome()).toEqual([]);
});

test('skips caches by their exact names only, not names that look similar', async () => {
  const kept = [
    'Cached_Predictions/p.json',
    'predictions.db',
    'sub/kv_cache_benchmark/r.json',
    'uv.lock',
    'cache.json',
  ];
  for (const name of kept) storage.files.set(name, 'x');
  storage.files.set('sub/cache/c', 'x');
  expect(await fetchAll()).toMatchObject({ files: 5, skipped: ['sub/cache'], incomplete: null });
  expect(await fetchAll({ skip: ['*.lock', 'sub/'] })).toMatchObject({ files: 3, skipped: ['sub', 'uv.lock'] });
  expect(await fetchAll({ skip: [] })).toMatchObject({ files: 6, skipped: [] });
});

test('above the limit: scores first, then small files; large ones stay in storage, and are named', async () => {
  storage.files.set('a-samples.jsonl', 'x'.repeat(5_000));
  storage.files.set('results.yml', 'results: {}');
  storage.files.set('small.txt', 'small');
  expect(await fetchAll({ maxBytes: 1_000 })).toMatchObject({
    files: 2,
    incomplete:
      '2 files of /out are home, and the rest stays in storage: a-samples.jsonl (beyond the limit of 1000 bytes)',
  });
  expect(await atHome()).toEqual(['manifest.json', 'results.yml', 'small.txt']);
  expect(storage.fetched()[0]).toBe('results.yml');
  expect(await fetchAll()).toMatchObject({ files: 3, incomplete: null });
});

test('large files come after all others, in order of size', async () => {
  const mib = 1024 * 1024;
  storage.files.set('a-20', Buffer.alloc(20 * mib));
  storage.files.set('b-12', Buffer.alloc(12 * mib));
  storage.files.set('c-small', 'x');
  expect(await fetchAll({ maxBytes: 14 * mib })).toMatchObject({
    files: 2,
    incomplete: expect.stringContaining('storage: a-20 (beyond'),
  });
  expect(await atHome()).toEqual(['b-12', 'c-small', 'manifest.json']);
});

test.each(['..', '.', 'a/b', '../../etc/passwd', ''])('an entry called %j is never written', async (name) => {
  storage.intercept = (method, at, response) => {
    if (method === 'HEAD' || at !== '') return false;
    sendJson(response, [{ type: 'file', name, path: name }]);
    return true;
  };
  storage.files.set('x', 'x');
  expect(await fetchAll()).toMatchObject({ files: 0, incomplete: expect.stringContaining('(not a file name)') });
  expect(await readdir(folder.path)).toEqual(['0-arc']);
});

test('never writes through a local link', async () => {
  const outside = path.join(folder.path, 'outside');
  await mkdir(outside);
  await mkdir(target);
  await symlink(outside, path.join(target, 'model'));
  await writeFile(path.join(folder.path, 'precious'), 'keep me');
  await symlink(path.join(folder.path, 'precious'), path.join(target, 'results.yml'));
  storage.files.set('results.yml', 'results: {}');
  await fetchAll();
  expect(await readFile(path.join(folder.path, 'precious'), 'utf8')).toBe('keep me');
  expect(await readFile(path.join(target, 'results.yml'), 'utf8')).toBe('results: {}');
  storage.files.set('model/a.json', '{}');
  await expect(fetchAll()).rejects.toThrow('a folder belongs there');
  expect(await readdir(outside)).toEqual([]);
});

test('stops at endless nesting', async () => {
  storage.intercept = (method, _, response) => {
    if (method === 'HEAD') response.writeHead(200).end();
    else sendJson(response, [{ type: 'dir', name: 'again', path: '' }]);
    return true;
  };
  expect(await fetchAll()).toMatchObject({
    files: 0,
    incomplete: expect.stringContaining('(nested more than 32 deep)'),
  });
});

test('a log that is saved meanwhile comes home, too; drafts of killed calls go', async () => {
  const file = path.join(target, 'logs', 'endpoint.log');
  let goOn = (): void => undefined;
  const isFetched = new Promise<void>((resolve) => (goOn = resolve));
  async function* source(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('loading weights\n');
    await isFetched;
    yield Buffer.from('ready\n');
  }
  const saving = saveLog({ source: source(), file, maxBytes: 1_000, quietMs: 600_000 });
  const left = ['samples.jsonl', 'logs/job.log', 'model/a.json'].map((name) => draftFor(path.join(target, name)));
  for (const draft of left) {
    await mkdir(path.dirname(draft), { recursive: true });
    await writeFile(draft, 'half');
    await utimes(draft, 1, 1);
  }
  storage.files.set('results.yml', 'results: {}');
  await fetchAll();
  goOn();
  await saving;
  expect(await readFile(file, 'utf8')).toBe('loading weights\nready\n');
  expect(await atHome()).toEqual(['logs/endpoint.log', 'manifest.json', 'results.yml']);
});

test("an abort ends it with the abort's reason", async () => {
  const abort = new AbortController();
  storage.files.set('a', 'x');
  storage.intercept = (method, name) => {
    if (method === 'GET' && name === 'a') abort.abort(new Error('shutting down'));
    return false;
  };
  await expect(fetchAll({ signal: abort.signal })).rejects.toThrow('shutting down');
});

test("rejects with the platform's error when a listing is refused", async () => {
  storage.files.set('a', 'x');
  storage.intercept = (_, __, response) => {
    sendJson(response, { message: 'no permission' }, 403);
    return true;
  };
  const error = await fetchAll().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(LeptonError);
  expect((error as LeptonError).kind).toBe('forbidden');
});
