import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { copyFromStore, isCopied } from '../../src/results/store/local-copy';
import { openStore } from '../../src/results/store/open-store';
import type { ResultsStore } from '../../src/results/store/store';
import { StoreError } from '../../src/results/store/store-error';
import { withTarget } from '../../src/results/store/target';
import { freshFolder } from '../support/folders';
import { openS3Proxy, type S3Proxy } from '../support/s3-faults';
import { s3Kinds, type S3Server } from '../support/s3-server';

/** The results store in a bucket, on servers that others have made, through a proxy that disturbs the traffic. */

const MiB = 1024 * 1024;
const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('a second server is used where it is built: here against ' + s3Kinds.map(({ name }) => name).join(' and '), () => {
  expect(s3Kinds.map(({ name }) => name)).toContain('moto');
});

describe.each(s3Kinds)('a bucket of $name', (kind) => {
  const isChecking = kind.name === 'versitygw';
  let server: S3Server;
  let proxy: S3Proxy;
  let folder: { path: string; dispose: () => Promise<void> };
  let env: Record<string, string>;
  let place: string;
  let store: ResultsStore;
  let runs = 0;

  beforeAll(async () => {
    server = await kind.start();
    proxy = await openS3Proxy(server.port);
    folder = await freshFolder('results-store');
    env = { ...server.env, AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${proxy.port}` };
  });
  afterAll(async () => {
    await proxy.close();
    await server.close();
    await folder.dispose();
  });
  beforeEach(async () => {
    proxy.disturb(() => undefined);
    runs += 1;
    place = `s3://bucket/team a/${String(runs).padStart(16, '0')}`;
    store = await openStore(place, env);
  });

  const put = async (relative: string, bytes: Buffer, extra: object = {}): Promise<void> => {
    const file = path.join(folder.path, 'source');
    await writeFile(file, bytes);
    await store.put({ file }, { path: relative, size: bytes.length, sha256: digestOf(bytes), ...extra });
  };

  test('holds files of any size and name with what is known of them, and gives them back as they were', async () => {
    const whole = randomBytes(300);
    const large = randomBytes(17 * MiB + 11);
    const notes = { original: { size: 400, sha256: 'ab'.repeat(32) }, withheld: 'nicht öffnenbar: "x"' };
    await put('0-task/a b/ü~%0A.json', whole, notes);
    await put('0-task/large.bin', large);
    await put('0-task/empty', Buffer.alloc(0));
    const listed = [...(await store.list())].sort((a, b) => (a.path < b.path ? -1 : 1));
    expect(listed).toEqual([
      { path: '0-task/a b/ü~%0A.json', size: 300 },
      { path: '0-task/empty', size: 0 },
      { path: '0-task/large.bin', size: large.length },
    ]);
    expect(await store.describe('0-task/a b/ü~%0A.json')).toEqual({
      path: '0-task/a b/ü~%0A.json',
      size: 300,
      sha256: digestOf(whole),
      ...notes,
    });
    expect(await store.describe('0-task/none')).toBeUndefined();
    expect(await store.read('0-task/none')).toBeUndefined();

    const copy = path.join(folder.path, `copy-${runs}`);
    expect(await copyFromStore({ store, folder: copy })).toMatchObject({ files: 3, fetched: 3 });
    expect(digestOf(await readFile(path.join(copy, '0-task/large.bin')))).toBe(digestOf(large));
    expect(await copyFromStore({ store, folder: copy })).toMatchObject({ files: 3, fetched: 0 });
    expect(await isCopied(copy)).toBe(false);
  });

  test('does what it is asked although it is told to slow down, and connections break', async () => {
    const bytes = randomBytes(9 * MiB);
    let requests = 0;
    proxy.disturb(() => {
      requests += 1;
      if (requests % 3 === 1) return { kind: 'answer', status: 503, code: 'SlowDown' };
      return requests % 3 === 2 ? { kind: 'drop' } : undefined;
    });
    await put('0-task/file', bytes);
    let readings = 0;
    proxy.disturb(({ method, url }) => {
      if (method !== 'GET' || !url.includes('0-task')) return undefined;
      readings += 1;
      return readings < 3 ? { kind: 'cut', afterBytes: MiB } : undefined;
    });
    const copy = path.join(folder.path, `copy-${runs}`);
    await copyFromStore({ store, folder: copy });
    expect(digestOf(await readFile(path.join(copy, '0-task/file')))).toBe(digestOf(bytes));
    expect(await readdir(path.join(copy, '0-task'))).toEqual(['file']);
  });

  test('that does not check a sha256 is asked for the file again', async () => {
    proxy.disturb(() => ({ kind: 'no checksums' }));
    const before = proxy.seen.length;
    await put('0-task/file', randomBytes(10));
    expect(proxy.seen.slice(before).map(({ method }) => method)).toEqual(['PUT', 'GET']);
    proxy.disturb(() => undefined);
    await put('0-task/file', randomBytes(10));
    expect(proxy.seen.slice(before + 2).map(({ method }) => method)).toEqual(isChecking ? ['PUT'] : ['PUT', 'GET']);
  });

  test.each([
    [403, 'InvalidAccessKeyId', 'refused'],
    [403, 'AccessDenied', 'refused'],
    [404, 'NoSuchBucket', 'refused'],
    [507, 'XMinioStorageFull', 'full'],
    [403, 'QuotaExceeded', 'full'],
    [503, 'SlowDown', 'unavailable'],
    [500, 'InternalError', 'unavailable'],
  ] as const)('that answers %d %s: the failure is %s', async (status, code, expected) => {
    proxy.disturb(() => ({ kind: 'answer', status, code }));
    const failure = await put('0-task/file', randomBytes(10)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StoreError);
    expect(failure).toMatchObject({ kind: expected, message: expect.stringContaining(code) });
    expect((failure as Error).message).not.toContain('a-secret-key');
  });

  test(`with a wrong key ${kind.isStrict ? 'refuses' : 'is not asked: this server checks none'}`, async () => {
    const other = await openStore(place, { ...env, AWS_SECRET_ACCESS_KEY: 'another' });
    const answer = await other.list().catch((error: unknown) => error);
    if (kind.isStrict) expect(answer).toMatchObject({ kind: 'refused', message: expect.stringContaining('AWS_') });
    else expect(answer).toEqual([]);
  });

  test('keeps nothing under a final name of a file whose writer is killed, and its upload is ended by the next writer', async () => {
    const file = path.join(folder.path, 'killed');
    const bytes = randomBytes(40 * MiB);
    await writeFile(file, bytes);
    // The second part never arrives.
    proxy.disturb(({ url }) => (/partNumber=[2-9]/.test(url) ? { kind: 'hang' } : undefined));
    const before = proxy.seen.length;
    const writer = execa(
      process.execPath,
      [path.join(__dirname, '../support/put-file.cjs'), place, file, digestOf(bytes)],
      {
        env: { ...env, PATH: process.env['PATH'] ?? '' },
        extendEnv: false,
        reject: false,
      },
    );
    const partSent = () => proxy.seen.slice(before).some(({ url }) => url.includes('partNumber=1'));
    while (!partSent()) await new Promise((resolve) => setTimeout(resolve, 50));
    writer.kill('SIGKILL');
    await writer;
    proxy.disturb(() => undefined);
    expect(await store.list()).toEqual([]);
    expect(await store.describe('0-task/file')).toBeUndefined();

    const staging = path.join(folder.path, 'staging');
    await withTarget(`${place}/0-task`, { staging, env }, async (target) => {
      const signal = new AbortController().signal;
      const journal = await target.openJournal(signal);
      await mkdir(path.join(target.folder, 'sub'));
      await writeFile(path.join(target.folder, 'sub', 'file'), bytes);
      await journal.add({ path: 'sub/file', size: bytes.length, sha256: digestOf(bytes) });
      await writeFile(path.join(target.folder, 'manifest.json'), '{}');
      await target.complete(signal);
    });
    expect(await readdir(staging)).toEqual([]);
    expect(proxy.seen.filter(({ method, url }) => method === 'DELETE' && url.includes('uploadId='))).not.toEqual([]);
    expect(await store.endStaleUploads()).toBe(0);
    expect((await store.list()).map((one) => one.path).sort()).toEqual(['0-task/manifest.json', '0-task/sub/file']);
  });

  test('lets a fetch continue on another machine with what is there', async () => {
    const target = { staging: path.join(folder.path, 'staging'), env };
    const record = { path: 'samples.jsonl', size: 3 * MiB, sha256: '' };
    const bytes = randomBytes(record.size);
    const signal = new AbortController().signal;
    const known = { ...record, sha256: digestOf(bytes), original: { size: 5, sha256: 'cd'.repeat(32) } };
    await withTarget(`${place}/0-task`, target, async ({ folder: here, openJournal }) => {
      const journal = await openJournal(signal);
      await writeFile(path.join(here, 'results.yml'), 'a: 1\n');
      await writeFile(path.join(here, known.path), bytes);
      await journal.add({ path: 'results.yml', size: 5, sha256: digestOf(Buffer.from('a: 1\n')) });
      await journal.add(known);
    });
    await withTarget(`${place}/0-task`, target, async ({ folder: there, openJournal }) => {
      const journal = await openJournal(signal);
      expect(await journal.intact(known.path)).toEqual(known);
      expect(await journal.intact('results.yml')).toMatchObject({ size: 5 });
      expect(await journal.intact('other')).toBeUndefined();
      // The scores are read here; the large file stays where it is.
      expect(await readdir(there)).toEqual(['results.yml']);
    });
  });
});
