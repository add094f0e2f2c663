import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { secretsOfEnv, secretsOfReferences } from '../../src/home/secret-values';
import { maskFile } from '../../src/results/mask-file';
import { freshFolder } from '../support/folders';

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
  await fc.assert(
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
