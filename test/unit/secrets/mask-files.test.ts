import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fromBufferPromise } from 'yauzl';
import { ZipFile } from 'yazl';
import { secretsOfEnv, secretsOfReferences } from '../../../src/secrets/secret-values';
import { maskFile } from '../../../src/secrets/mask-file';
import type { ArchiveLimits } from '../../../src/secrets/limits';
import { freshFolder } from '../../support/folders';
import { holds } from '../../support/fuzz';

const secret = 'hf_CANARYhub0123456789abcdefghijkl';
const secrets = [secret, 'CANARY"judge\\key-0123456789'];

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => (folder = await freshFolder('masking')));
afterAll(() => folder.dispose());

/** Returns the file's content after masking, and the result of `maskFile`. */
async function masked(content: Uint8Array | string, values: readonly string[] = secrets, limits?: ArchiveLimits) {
  const file = path.join(folder.path, 'file');
  await writeFile(file, content);
  const told = await maskFile(file, values, limits);
  const after = await readFile(file);
  expect(await readdir(folder.path)).toEqual(['file']);
  if (told)
    expect(told).toMatchObject({ size: after.length, sha256: createHash('sha256').update(after).digest('hex') });
  return { told, after };
}

test('JSON lines: secrets are masked; numbers, structure and everything else stay', async () => {
  const lines = [
    { acc: 0.1234567890123, n: 10_042, headers: { Authorization: `Bearer ${secret}` } },
    { text: secrets[1], samples: [1, 2.5e-7, null, true] },
  ];
  const { after } = await masked(lines.map((line) => JSON.stringify(line)).join('\n'));
  expect(
    after
      .toString()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    { acc: 0.1234567890123, n: 10_042, headers: { Authorization: 'Bearer ***' } },
    { text: '***', samples: [1, 2.5e-7, null, true] },
  ]);
});

test('the content of a compressed file is masked, and the file stays compressed', async () => {
  const { told, after } = await masked(gzipSync(`{"key":"${secret}","acc":0.5}\n`.repeat(50_000)));
  expect(told).toBeDefined();
  expect(gunzipSync(after).toString()).toBe('{"key":"***","acc":0.5}\n'.repeat(50_000));
});

test('in a binary file all bytes keep their offsets', async () => {
  const before = Buffer.concat([Buffer.from([0, 1, 2, 0xff]), Buffer.from(secret), Buffer.from([0, 0xfe])]);
  const { after } = await masked(before);
  expect(after).toEqual(
    Buffer.concat([before.subarray(0, 4), Buffer.from('*'.repeat(secret.length)), before.subarray(-2)]),
  );
});

test('a file without a secret is not changed, whatever its content', async () => {
  await holds(
    fc.asyncProperty(fc.uint8Array({ maxLength: 3_000 }), fc.boolean(), async (bytes, packed) => {
      const before = packed ? gzipSync(bytes) : Buffer.from(bytes);
      const { told, after } = await masked(before);
      expect(told).toBeUndefined();
      expect(after.equals(before)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

test('a file that only looks compressed is searched as plain bytes', async () => {
  const start = Buffer.from([0x1f, 0x8b, 8, 0xff, 0xff, 3]);
  expect(await masked(start)).toEqual({ told: undefined, after: start });
  const { after } = await masked(Buffer.concat([start, Buffer.from(` ${secret} ${'x'.repeat(50)}`)]));
  expect(after.includes(secret)).toBe(false);
});

const line = (at: number): string => `{"key":"${secret}","at":${at}}\n`;
const lines = Array.from({ length: 20_000 }, (_value, at) => line(at)).join('');

test.each([
  ['that is cut within its checksum', (whole: Buffer) => whole.subarray(0, -8)],
  ['that is cut in the middle', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
  ['followed by text', (whole: Buffer) => Buffer.concat([whole, Buffer.from(`HF_TOKEN=${secret}\n`)])],
  [
    'followed by other bytes and a second gzip file',
    (whole: Buffer) => Buffer.concat([whole, Buffer.from('junk'), whole]),
  ],
  ['followed by zeros', (whole: Buffer) => Buffer.concat([whole, Buffer.alloc(512)])],
  ['of two members', (whole: Buffer) => Buffer.concat([whole, whole])],
  ['with a wrong checksum', (whole: Buffer) => Buffer.concat([whole.subarray(0, -8), Buffer.alloc(8, 7)])],
  [
    'with bad bytes in the middle',
    (whole: Buffer) =>
      Buffer.concat([
        whole.subarray(0, whole.length / 2),
        Buffer.alloc(64, 0xff),
        whole.subarray(whole.length / 2 + 64),
      ]),
  ],
])('a gzip file %s is masked as far as it can be unpacked', async (_how, damage) => {
  const before = damage(gzipSync(lines));
  const { told, after } = await masked(before);
  expect(told).toBeDefined();
  expect(after.includes(secret)).toBe(false);
  const text = gunzipSync(after).toString('latin1');
  expect(text).not.toContain(secret);
  expect(text.startsWith('{"key":"***","at":0}\n{"key":"***","at":1}\n')).toBe(true);
  // Hardly anything that can be unpacked is lost.
  expect(text.length).toBeGreaterThan(lines.replaceAll(secret, '***').length * 0.4);
});

test('a cut gzip file without a secret is not changed; one followed by other bytes keeps what can be unpacked', async () => {
  const cut = gzipSync('{"acc":0.5}\n'.repeat(9_000)).subarray(0, -8);
  expect(await masked(cut)).toEqual({ told: undefined, after: cut });
  for (const text of ['{"acc":0.5}\n', '{"acc":0.5}\n'.repeat(9_000)]) {
    const { after } = await masked(Buffer.concat([gzipSync(text), gzipSync(text), Buffer.from('junk')]));
    expect(gunzipSync(after).toString()).toBe(text.repeat(2));
  }
});

test('no secret in a short damaged gzip file is saved in plain text', async () => {
  const whole = gzipSync(`k=${secret}`);
  const tail = await masked(Buffer.concat([whole, Buffer.from('junk')]));
  expect(gunzipSync(tail.after).toString()).toBe('k=***');
  const bad = Buffer.from(whole);
  bad.fill(0xff, 10, 14);
  const { after } = await masked(bad);
  expect(gunzipSync(after).toString()).toContain('damaged');
});

test('a secret in the comment of a gzip file is removed', async () => {
  const whole = gzipSync('{}');
  const commented = Buffer.concat([
    whole.subarray(0, 3),
    Buffer.from([0x10]),
    whole.subarray(4, 10),
    Buffer.from(`${secret}\0`),
    whole.subarray(10),
  ]);
  expect(gunzipSync(commented).toString()).toBe('{}');
  const { after } = await masked(commented);
  expect(after.includes(secret)).toBe(false);
  expect(gunzipSync(after).toString()).toBe('{}');
});

test('a file that unpacks to more than the search limit is withheld, and a note says so', async () => {
  const limits = { mostUnpacked: 10_000, mostEntries: 3 };
  const text = `${'x'.repeat(20_000)}${secret}`;
  const packed = await masked(gzipSync(text), secrets, limits);
  expect(gunzipSync(packed.after).toString()).toContain('unpacks to more than');
  const zip = await masked(await zipOf({ 'a.txt': text }), secrets, limits);
  expect((await unzipped(zip.after))['WITHHELD.txt']?.text).toContain('unpacks to more than');
  expect(zip.told?.withheld).toBe('not searched for secrets: it unpacks to more than 4 GiB');
  const many = await masked(await zipOf({ a: '', b: '', c: '', d: secret }), secrets, limits);
  expect((await unzipped(many.after))['WITHHELD.txt']?.text).toContain('too many entries');
});

/** Creates an archive of contents by name; each is compressed unless its name ends in `.npy`. */
async function zipOf(contents: Readonly<Record<string, Uint8Array | string>>): Promise<Buffer> {
  const written = new ZipFile();
  for (const [name, content] of Object.entries(contents)) {
    const about = { mtime: new Date(2026, 1, 2, 3, 4, 6), mode: 0o100640, compress: !name.endsWith('.npy') };
    if (name.endsWith('/')) written.addEmptyDirectory(name);
    else written.addBuffer(Buffer.from(content), name, about);
  }
  written.end();
  return buffer(written.outputStream as Readable);
}

async function unzipped(archive: Buffer): Promise<Record<string, { text: string; method: number; mode: number }>> {
  const found: Record<string, { text: string; method: number; mode: number }> = {};
  for await (const entry of (await fromBufferPromise(archive)).eachEntry()) {
    const content = entry.fileName.endsWith('/')
      ? Buffer.alloc(0)
      : await buffer(await (await fromBufferPromise(archive)).openReadStreamPromise(entry));
    const mode = entry.externalFileAttributes >>> 16;
    found[entry.fileName] = { text: content.toString('latin1'), method: entry.compressionMethod, mode };
  }
  return found;
}

test('the content of a zip archive is masked; entries, order, modes and compression stay; without a secret it is not changed', async () => {
  const clean = { 'a/': '', 'a/samples.jsonl': '{"acc":0.5}\n'.repeat(5_000), 'x.npy': Buffer.from([0, 1, 2, 0xff]) };
  const untouched = await zipOf(clean);
  expect(await masked(untouched)).toEqual({ told: undefined, after: untouched });
  const binary = Buffer.concat([Buffer.from([0, 1]), Buffer.from(secret), Buffer.from([0, 0xfe])]);
  const { told, after } = await masked(
    await zipOf({ ...clean, 'env.txt': `HF_TOKEN=${secret}\n`.repeat(9_000), 'y.npy': binary }),
  );
  expect(told).toBeDefined();
  const entries = await unzipped(after);
  expect(Object.keys(entries)).toEqual([...Object.keys(clean), 'env.txt', 'y.npy']);
  expect(entries['env.txt']).toEqual({ text: 'HF_TOKEN=***\n'.repeat(9_000), method: 8, mode: 0o100640 });
  expect(entries['a/samples.jsonl']?.text).toBe(clean['a/samples.jsonl']);
  expect(entries['y.npy']).toEqual({
    text: binary.toString('latin1').replace(secret, '*'.repeat(secret.length)),
    method: 0,
    mode: 0o100640,
  });
});

test('a file that only looks like a zip archive is searched as plain bytes', async () => {
  const content = Buffer.from('PK\u0003\u0004 and no more');
  expect(await masked(content)).toEqual({ told: undefined, after: content });
  const { after } = await masked(Buffer.concat([content, Buffer.from(` ${secret}`)]));
  expect(after.includes(secret)).toBe(false);
});

/** Creates an archive with an entry name that the writer would refuse. */
async function renamed(name: string, content: string, comment = ''): Promise<Buffer> {
  const harmless = 'n'.repeat(name.length);
  const archive = await zipOf({ [harmless]: content, 'b.txt': 'kept' });
  return Buffer.from(archive.toString('latin1').replaceAll(harmless, name) + comment, 'latin1');
}

test.each(['/abs.txt', '../dots.txt', 'a/../../b', 'C:/x.txt', 'a\\b.txt', './c.txt', `dir/${secret}`])(
  'a zip archive with the entry %s is masked, and its entry names are safe',
  async (name) => {
    const { told, after } = await masked(await renamed(name, `HF_TOKEN=${secret}\n`.repeat(900)));
    expect(told).toBeDefined();
    expect(after.includes(secret)).toBe(false);
    const entries = await unzipped(after);
    expect(Object.values(entries).map(({ text }) => text)).toEqual(['HF_TOKEN=***\n'.repeat(900), 'kept']);
  },
);

test('a zip archive that cannot be opened is replaced by a note, and so is an entry that cannot be read', async () => {
  const whole = await zipOf({ 'a.txt': secret.repeat(2_000), 'b.txt': 'kept' });
  for (const content of [whole.subarray(0, 60), whole.subarray(0, -9)]) {
    const { after } = await masked(content);
    expect((await unzipped(after))['WITHHELD.txt']?.text).toContain('damaged');
  }
  // Compressed with bzip2, as Python's zipfile can do: it can't be read here.
  const central = whole.indexOf('PK\u0001\u0002');
  const foreign = Buffer.from(whole);
  foreign.writeUInt16LE(12, 8);
  foreign.writeUInt16LE(12, central + 10);
  const entries = await unzipped((await masked(foreign)).after);
  expect(entries['a.txt.withheld.txt']?.text).toContain('packed in a way');
  expect(entries['b.txt']?.text).toBe('kept');
  const damaged = Buffer.from(whole);
  damaged.fill(0xff, 40, 50);
  expect(Object.keys(await unzipped((await masked(damaged)).after))).toEqual(['a.txt.withheld.txt', 'b.txt']);
});

test('values are secrets by their name or form, never merely because they are set', () => {
  const env = {
    HF_TOKEN: 'hf_abc',
    TEMPORAL_API_KEY: 'temporal-key-1',
    LEPTON_WORKSPACE_TOKEN: 'lepton-token-1',
    HTTPS_PROXY: 'http://user:pass-word-1@proxy:3128',
    NO_PROXY: 'localhost,10.0.0.0/8',
    UNTOLD: secret,
    MODE: 'production',
    MODEL: 'meta-llama/Llama-3.1-8B-Instruct',
    COMMIT: '0123456789abcdef0123456789abcdef01234567',
    MAX_TOKENS: '12345678',
    PATH: '/usr/bin:/bin',
  };
  const { HF_TOKEN, TEMPORAL_API_KEY, LEPTON_WORKSPACE_TOKEN, HTTPS_PROXY, UNTOLD } = env;
  expect(secretsOfEnv(env)).toEqual([HF_TOKEN, TEMPORAL_API_KEY, LEPTON_WORKSPACE_TOKEN, HTTPS_PROXY, UNTOLD]);
  expect(
    secretsOfReferences({ MODE: 'production', N: '10042000', ORG: 'my-org/model', X: 's3cr3t-pw!', HF_TOKEN: 'word' }),
  ).toEqual(['s3cr3t-pw!', 'word']);
});
