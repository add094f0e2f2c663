import type { Payload, PayloadCodec } from '@temporalio/common';
import fc from 'fast-check';
import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codecApp } from '../../../src/stack/codec-server';
import { encryptionOf } from '../../../src/temporal/encryption/data-converter';
import { createKeyFile, readKeyFile, rotateKeyFile } from '../../../src/temporal/encryption/key-file';
import { webUiOrigins } from '../../../src/temporal/web-ui';
import { freshFolder } from '../../support/folders';
import { holds } from '../../support/fuzz';

let folder: Awaited<ReturnType<typeof freshFolder>>;
let keyFile: string;
let codec: PayloadCodec;
const codecOf = (file?: string): PayloadCodec => {
  const [found] = encryptionOf({ EVALSAGA_ENCRYPTION_KEY_FILE: file }).dataConverter.payloadCodecs ?? [];
  if (!found) throw new Error('there is always a codec');
  return found;
};
beforeAll(async () => {
  folder = await freshFolder('keys');
  keyFile = path.join(folder.path, 'deep', 'evalsaga.key');
  await createKeyFile(keyFile);
  codec = codecOf(keyFile);
});
afterAll(() => folder.dispose());

const payloadOf = (data: Uint8Array): Payload => ({ metadata: { encoding: Buffer.from('json/plain') }, data });
const encrypted = async (payload: Payload): Promise<Payload> => (await codec.encode([payload]))[0] ?? payload;

test('any data is encrypted, differently each time, and decrypted unchanged', async () => {
  await holds(
    fc.asyncProperty(fc.uint8Array({ minLength: 8, maxLength: 2_000 }), async (data) => {
      const payload = payloadOf(data);
      const [one, two] = [await encrypted(payload), await encrypted(payload)];
      expect(Buffer.from(one.data ?? []).includes(Buffer.from(data))).toBe(false);
      expect(Buffer.from(one.data ?? []).equals(two.data ?? Buffer.alloc(0))).toBe(false);
      const [decoded] = await codec.decode([one]);
      expect(Buffer.from(decoded?.data ?? [])).toEqual(Buffer.from(data));
      expect(Object.keys(decoded?.metadata ?? {})).toEqual(['encoding']);
    }),
    { numRuns: 50 },
  );
});

test('a changed bit and a truncated payload are detected', async () => {
  const whole = await encrypted(payloadOf(Buffer.from('"some text"')));
  const data = Buffer.from(whole.data ?? []);
  for (const at of [0, 12, data.length - 1]) {
    const changed = Buffer.from(data);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expect(codec.decode([{ ...whole, data: changed }])).rejects.toThrow('damaged or changed');
  }
  await expect(codec.decode([{ ...whole, data: data.subarray(0, 20) }])).rejects.toThrow('damaged or changed');
});

test('a new key file is private and replaces no existing file; rotation keeps the old keys', async () => {
  const file = path.join(folder.path, 'made.key');
  const first = await createKeyFile(file);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await expect(createKeyFile(file)).rejects.toThrow(/exists already.*--rotate/s);
  const second = await rotateKeyFile(file);
  expect(readKeyFile(file).map(({ id }) => id)).toEqual([first.id, second.id]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, 'utf8')).not.toContain(`${first.secret.toString('base64')}\n`);
});

const key = (bytes: number): string => Buffer.alloc(bytes, 7).toString('base64');

test.each([
  ['', 'holds no key'],
  ['# a comment\n', 'holds no key'],
  [`${key(16)}\n`, 'line 1 .* holds 16 bytes'],
  [`${key(32)}\n${key(31)}\n`, 'line 2 .* holds 31 bytes'],
  ['correct horse battery staple\n', 'line 1 .* is no base64'],
])('the key file %j is refused; the error does not contain it', async (text, message) => {
  const file = path.join(folder.path, 'odd.key');
  await writeFile(file, text, { mode: 0o600 });
  expect(() => readKeyFile(file)).toThrow(new RegExp(message, 'i'));
  expect(() => readKeyFile(file)).not.toThrow(/horse/);
});

test('a key file that others can read and a missing one are refused, with advice', async () => {
  const file = path.join(folder.path, 'open.key');
  await createKeyFile(file);
  for (const mode of [0o640, 0o604, 0o660]) {
    await chmod(file, mode);
    expect(() => encryptionOf({ EVALSAGA_ENCRYPTION_KEY_FILE: file })).toThrow(`chmod 600 ${file}`);
  }
  expect(() => readKeyFile(path.join(folder.path, 'none'))).toThrow(/ENOENT.*evalsaga key/s);
  expect(() => readKeyFile(folder.path)).toThrow(/mode 7|can't be read/);
});

const ui = 'http://127.0.0.1:8233';
const cloud = 'https://ui.example';
const app = () => codecApp({ codec, origins: [ui, cloud], port: () => 4000 });
const wire = ({ metadata, data }: Payload): object => ({
  metadata: Object.fromEntries(
    Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  ),
  data: Buffer.from(data ?? []).toString('base64'),
});
const ask = async (route: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  app().request(`http://127.0.0.1:4000${route}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { host: '127.0.0.1:4000', 'content-type': 'application/json', 'x-namespace': 'default', ...headers },
  });

test('the codec server decrypts and encrypts; a payload with an unknown key is left unchanged', async () => {
  const plain = payloadOf(Buffer.from('"text"'));
  const foreignFile = path.join(folder.path, 'foreign.key');
  await createKeyFile(foreignFile);
  const [foreign = plain] = await codecOf(foreignFile).encode([plain]);
  const payloads = [await encrypted(plain), foreign, plain].map(wire);
  const answer = await ask('/decode', { payloads }, { origin: ui });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('access-control-allow-origin')).toBe(ui);
  expect(await answer.json()).toEqual({ payloads: [wire(plain), wire(foreign), wire(plain)] });
  const { payloads: [made] = [] } = (await (await ask('/encode', { payloads: [wire(plain)] })).json()) as {
    payloads?: object[];
  };
  expect(await (await ask('/decode', { payloads: [made] })).json()).toEqual({ payloads: [wire(plain)] });
});

test.each<[string, Record<string, string>]>([
  ['a page of another origin', { origin: 'https://evil.example' }],
  ['a page in a sandbox', { origin: 'null' }],
  ['a host name that resolves to loopback', { host: 'evil.example:4000', origin: ui }],
])('the codec server refuses %s', async (_who, headers) => {
  const answer = await ask('/decode', { payloads: [wire(await encrypted(payloadOf(Buffer.from('"text"'))))] }, headers);
  expect(answer.status).toBe(403);
  expect(await answer.text()).not.toContain('payloads');
});

test.each([ui, cloud])(
  'the codec server answers the preflight request of a page of %s, and refuses malformed bodies',
  async (origin) => {
    const preflight = await app().request('http://127.0.0.1:4000/decode', {
      method: 'OPTIONS',
      headers: {
        host: '127.0.0.1:4000',
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-namespace',
        'access-control-request-private-network': 'true',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin);
    // The Web UI can be configured to send its cookies.
    expect(preflight.headers.get('access-control-allow-credentials')).toBe('true');
    expect(preflight.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('x-namespace');
    expect(preflight.headers.get('access-control-allow-private-network')).toBe('true');
    expect((await ask('/decode', 'no json')).status).toBe(400);
    expect((await ask('/decode', { payloads: 'x' })).status).toBe(400);
  },
);

test('origins of the Web UI', () => {
  expect(webUiOrigins({ address: 'x:7233', base: 'http://127.0.0.1:8233' })).toEqual([ui, 'http://localhost:8233']);
  expect(webUiOrigins({ address: 'x:7233', base: 'https://ui.example/temporal/' })).toEqual(['https://ui.example']);
  expect(webUiOrigins({ address: 'ns.acct.tmprl.cloud:7233' })).toEqual(['https://cloud.temporal.io']);
  expect(webUiOrigins({ address: 'x:7233' })).toEqual([]);
});
