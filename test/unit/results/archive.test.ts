/** Results that come as one archive: nothing of it is believed that can't be proven, and what it lacks comes file by file. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import { resultsArchive } from '../../../src/contract/results-archive';
import { fetchTaskResults, type FetchRequest } from '../../../src/results/transfer/fetch';
import { freshFolder } from '../../support/folders';
import { startStorage, type StorageServer } from '../../support/storage-server';

let storage: StorageServer;
let folder: { path: string; dispose: () => Promise<void> };
let target: string;
let asked: string[];

beforeEach(async () => {
  storage = await startStorage();
  folder = await freshFolder('archive');
  target = path.join(folder.path, '0-arc');
  asked = [];
  storage.intercept = (method, at) => {
    asked.push(`${method} /${at}`);
    return false;
  };
  for (const [name, content] of Object.entries(files)) storage.files.set(name, content);
});
afterEach(async () => {
  await storage.server.close();
  await folder.dispose();
});

const files: Readonly<Record<string, Buffer | string>> = {
  'results.yml': 'results: {}',
  'samples/a.jsonl': Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 31) % 251)),
  'two\nlines\\.txt': 'odd',
  'empty.json': '',
};

const sha256 = (content: Buffer | string) => createHash('sha256').update(content).digest('hex');

interface Listed {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly entry: string;
}

/** An archive as a script makes it, but for `change`. */
async function archiveOf(
  packed: Readonly<Record<string, Buffer | string>>,
  change: (list: Listed[]) => unknown = (list) => ({ version: 1, files: list }),
): Promise<Buffer> {
  const zip = new ZipFile();
  const list = Object.entries(packed).map(([name, content], at): Listed => {
    zip.addBuffer(Buffer.from(content), String(at), { compress: at % 2 === 0 });
    return { path: name, size: Buffer.byteLength(content), sha256: sha256(content), entry: String(at) };
  });
  zip.addBuffer(Buffer.from(JSON.stringify(change(list))), 'manifest.json');
  zip.end();
  return buffer(zip.outputStream);
}

const put = (archive: Buffer): void => void storage.files.set(resultsArchive, archive);

const fetchAll = (more: Partial<FetchRequest> = {}) =>
  fetchTaskResults({
    ...{ client: storage.client, fileSystem: 'fs', path: '/out', target, secrets: [], maxBytes: 10_000_000 },
    ...{ isSettled: true, isPacked: true },
    ...more,
  });

/** What is at home, but for the manifest. */
const atHome = async () => {
  const found = await readdir(folder.path, { recursive: true, withFileTypes: true });
  const names = found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(target, path.join(entry.parentPath, entry.name)))
    .filter((name) => name !== 'manifest.json');
  const contents = names.sort().map(async (name) => [name, sha256(await readFile(path.join(target, name)))] as const);
  return Object.fromEntries(await Promise.all(contents));
};

const expected = (all: Readonly<Record<string, Buffer | string>> = files) =>
  Object.fromEntries(
    Object.entries(all).map(([name, content]) => [name.replace('\n', '%0A').replace('\\', '%5C'), sha256(content)]),
  );

test('an archive that has everything is all that is asked for, and one look that nothing else is there', async () => {
  put(await archiveOf(files));
  expect(await fetchAll()).toMatchObject({ files: 4, bytes: 300_014, incomplete: null, skipped: [] });
  expect(await atHome()).toEqual(expected());
  expect(asked).toEqual([`GET /${resultsArchive}`, 'GET /', 'GET /samples']);
  const { files: recorded } = JSON.parse(await readFile(path.join(target, 'manifest.json'), 'utf8')) as {
    files: { path: string; sha256: string }[];
  };
  expect(Object.fromEntries(recorded.map((file) => [file.path, file.sha256]))).toEqual(expected());
});

test('it is not looked for unless the job was told to make it and has ended, and is never a result itself', async () => {
  put(await archiveOf({ 'results.yml': 'an older one' }));
  storage.files.set(`${resultsArchive}.part`, 'not finished');
  for (const more of [{ isPacked: false }, { isSettled: false }]) {
    await rm(target, { recursive: true, force: true });
    expect(await fetchAll(more)).toMatchObject({ files: 4, incomplete: null });
    expect(await atHome()).toEqual(expected());
  }
  expect(asked.join()).not.toContain(resultsArchive);
});

test('what it lacks, or has otherwise than its list says, comes by itself', async () => {
  const { 'samples/a.jsonl': samples, ...others } = files;
  put(
    await archiveOf(others, (list) => ({
      version: 1,
      files: list.map((file) => (file.path === 'results.yml' ? { ...file, sha256: sha256('another') } : file)),
    })),
  );
  expect(await fetchAll()).toMatchObject({ files: 4, incomplete: null });
  expect(await atHome()).toEqual(expected());
  expect(storage.fetched()).toEqual([resultsArchive, 'results.yml', 'samples/a.jsonl']);
  // As without an archive: something was read after the list.
  expect(asked.filter((request) => request === 'GET /')).toHaveLength(2);
  expect(samples).toBeDefined();
});

test('damage in the middle costs the requests for the damaged files only', async () => {
  const archive = await archiveOf(files);
  archive.fill(0xff, 150_000, 150_100);
  put(archive);
  expect(await fetchAll()).toMatchObject({ files: 4, incomplete: null });
  expect(await atHome()).toEqual(expected());
  expect(storage.fetched()).toEqual([resultsArchive, 'samples/a.jsonl']);
});

const cutConnection = (times: number) => {
  let left = times;
  storage.intercept = (_method, at, response) => {
    asked.push(at);
    if (at !== resultsArchive || left === 0) return false;
    left -= 1;
    const content = storage.files.get(at) as Buffer;
    response.writeHead(200, { 'content-length': String(content.length) });
    response.write(content.subarray(0, content.length / 2));
    setTimeout(() => response.destroy(), 20);
    return true;
  };
};

test('one that is cut is read again; cut once more, the files come one by one', async () => {
  put(await archiveOf(files));
  cutConnection(1);
  expect(await fetchAll()).toMatchObject({ files: 4, incomplete: null });
  expect(storage.fetched()).toEqual([resultsArchive]);
  await rm(target, { recursive: true });
  cutConnection(2);
  expect(await fetchAll()).toMatchObject({ files: 4, incomplete: null });
  expect(await atHome()).toEqual(expected());
  expect(storage.fetched()).toHaveLength(1 + 4);
});

test.each([
  ['there is none', undefined, undefined],
  ['the answer is no archive', Buffer.from('<html>a login page</html>'), undefined],
  ['half of it was written', 'half' as const, undefined],
  ['the platform fails', undefined, 503],
  ['the platform refuses', undefined, 403],
])('without an archive, all is as ever: %s', async (_why, content, status) => {
  const whole = await archiveOf(files);
  if (content !== undefined) put(content === 'half' ? whole.subarray(0, whole.length / 2) : content);
  if (status !== undefined)
    storage.intercept = (_method, at, response) => {
      if (at !== resultsArchive) return false;
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"code":"X","message":"x"}');
      return true;
    };
  expect(await fetchAll()).toMatchObject({ files: 4, incomplete: null });
  expect(await atHome()).toEqual(expected());
});

test.each([
  ['a list of another form', (list: Listed[]) => ({ version: 2, files: list })],
  ['no list', () => 'nothing'],
  ['more than may be fetched', (list: Listed[]) => ({ version: 1, files: [...list, { ...list[0], size: 2 ** 40 }] })],
  ['entries of another size', (list: Listed[]) => ({ version: 1, files: list.map((one) => ({ ...one, size: 5 })) })],
])('an archive with %s is worth nothing, and costs nothing', async (_what, change) => {
  put(await archiveOf(files, change));
  expect(await fetchAll()).toMatchObject({ files: 4, incomplete: null });
  expect(await atHome()).toEqual(expected());
});

test('nothing is written outside of the folder, or over what others have there', async () => {
  const unsafe = ['../outside', '/tmp/outside', 'a/../../outside', 'samples', 'cache/x', 'manifest.json'];
  put(await archiveOf({ ...files, ...Object.fromEntries(unsafe.map((name) => [name, 'unsafe'])) }));
  expect(await fetchAll()).toMatchObject({ incomplete: null });
  // The task's own file of that name has another one here.
  const { 'manifest.json.remote': theirs, ...rest } = await atHome();
  expect([rest, theirs]).toEqual([expected(), sha256('unsafe')]);
});

test('a file that no listing shows, but the archive has, comes home as well', async () => {
  put(await archiveOf({ ...files, 'samples/late.jsonl': 'late' }));
  expect(await fetchAll()).toMatchObject({ files: 5, incomplete: null });
  expect(await atHome()).toEqual(expected({ ...files, 'samples/late.jsonl': 'late' }));
});

test('a call that was interrupted is gone on with, and secrets are masked as in single files', async () => {
  const secret = 'hf_CANARYhub0123456789abcdefghijkl';
  const all = { ...files, 'run_config.yml': `token: ${secret}\n` };
  storage.files.set('run_config.yml', all['run_config.yml']);
  put(await archiveOf(all));
  const stop = new AbortController();
  let done = 0;
  const onProgress = ({ files: complete }: { files: number }): void => {
    done = Math.max(done, complete);
    if (complete === 2) stop.abort(new Error('its worker ends'));
  };
  await expect(fetchAll({ secrets: [secret], signal: stop.signal, onProgress })).rejects.toThrow('its worker ends');
  const before = await readdir(target);
  expect(before).toContain('.fetched.jsonl');
  asked = [];
  expect(await fetchAll({ secrets: [secret] })).toMatchObject({ files: 5, incomplete: null });
  expect(asked).toEqual([`GET /${resultsArchive}`, 'GET /', 'GET /samples']);
  expect(await readFile(path.join(target, 'run_config.yml'), 'utf8')).toBe('token: ***\n');
  expect((await readdir(target)).filter((name) => name.startsWith('.'))).toEqual([]);
});

test('one that holds more than execution.max_result_size is left, and the limit is kept', async () => {
  put(await archiveOf(files));
  expect(await fetchAll({ maxBytes: 1_000 })).toMatchObject({
    files: 3,
    incomplete: expect.stringContaining('beyond the limit of 1000 bytes'),
  });
});
