import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fromBufferPromise } from 'yauzl';
import { ZipFile } from 'yazl';
import { secretsOfEnv, secretsOfReferences } from '../../src/home/secret-values';
import { maskFile } from '../../src/results/mask-file';
import { freshFolder } from '../support/folders';
import { holds } from '../support/fuzz';

const secret = 'hf_CANARYhub0123456789abcdefghijkl';
const secrets = [secret, 'CANARY"judge\\key-0123456789'];

let folder: Awaited<ReturnType<typeof freshFolder>>;
beforeAll(async () => (folder = await freshFolder('masking')));
afterAll(() => folder.dispose());

/** The file's content after masking, and what was said of it. */
async function masked(content: Uint8Array | string, values: readonly string[] = secrets) {
  const file = path.join(folder.path, 'file');
  await writeFile(file, content);
  const told = await maskFile(file, values);
  const after = await readFile(file);
  expect(await readdir(folder.path)).toEqual(['file']);
  if (told) expect(told).toEqual({ size: after.length, sha256: createHash('sha256').update(after).digest('hex') });
  return { told, after };
}

test('JSON lines: secrets go, numbers, structure and everything else stay', async () => {
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

test('a compressed file is masked within, and stays one', async () => {
  const { told, after } = await masked(gzipSync(`{"key":"${secret}","acc":0.5}\n`.repeat(50_000)));
  expect(told).toBeDefined();
  expect(gunzipSync(after).toString()).toBe('{"key":"***","acc":0.5}\n'.repeat(50_000));
});

test('in a binary file nothing moves', async () => {
  const before = Buffer.concat([Buffer.from([0, 1, 2, 0xff]), Buffer.from(secret), Buffer.from([0, 0xfe])]);
  const { after } = await masked(before);
  expect(after).toEqual(
    Buffer.concat([before.subarray(0, 4), Buffer.from('*'.repeat(secret.length)), before.subarray(-2)]),
  );
});

test('a file without a secret is not touched, whatever it is', async () => {
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

test('what only looks compressed, and a damaged archive, are no errors', async () => {
  const whole = gzipSync(Buffer.from(secret.repeat(2_000)));
  for (const content of [Buffer.from([0x1f, 0x8b, 8, 1, 2, 3]), whole.subarray(0, whole.length - 9)]) {
    const { told } = await masked(content);
    expect(told).toBeUndefined();
  }
});

/** Contents by name; packed unless the name ends in `.npy`. */
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

test('a zip archive is masked within: same entries, order, modes and ways of packing; without a secret it is not touched', async () => {
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

test('what only looks like a zip, a damaged one, one that leads out of its folder, and one of too many entries are no errors', async () => {
  const whole = await zipOf({ 'a.txt': secret.repeat(2_000) });
  const outside = Buffer.from(
    (await zipOf({ 'aa/a.txt': secret.repeat(2_000) })).toString('latin1').replaceAll('aa/a.txt', '../a.txt'),
    'latin1',
  );
  const many = await zipOf(Object.fromEntries(Array.from({ length: 10_001 }, (_, at) => [`${at}`, ''])));
  for (const content of [
    Buffer.from('PK\u0003\u0004 and no more'),
    whole.subarray(0, 60),
    whole.subarray(0, -9),
    outside,
    many,
  ]) {
    const { told, after } = await masked(content);
    expect(told).toBeUndefined();
    expect(after.equals(content)).toBe(true);
  }
});

test('S05 which values are secrets: by name, by look, never by being there', () => {
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
