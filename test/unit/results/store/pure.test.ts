import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { s3Config, s3Fault } from '../../../../src/results/store/s3-client';
import { metadataOf, recordIn } from '../../../../src/results/store/s3-metadata';
import { shortened } from '../../../../src/results/store/s3-store';
import { partSizeFor } from '../../../../src/results/store/parts';
import { saveStoreAccess, storeEnv } from '../../../../src/results/store/store-access';
import { clearStaging } from '../../../../src/results/store/target';
import { freshFolder } from '../../../support/folders';

/** The parts of a results store that need no server. */

const MiB = 1024 * 1024;

test('parts are never more than S3 takes', () => {
  for (const size of [0, 8 * MiB, 100 * MiB, 5 * 1024 * 1024 * MiB]) {
    const part = partSizeFor(size);
    expect(part).toBeGreaterThanOrEqual(8 * MiB);
    expect(Math.ceil(size / part)).toBeLessThanOrEqual(10_000);
  }
});

test('a key that is too long is shortened, and two never become the same', () => {
  const long = `p/${'ü'.repeat(700)}`;
  expect(shortened('p/short')).toBe('p/short');
  for (const key of [`${long}1`, `${long}2`]) expect(Buffer.byteLength(shortened(key))).toBeLessThanOrEqual(1024);
  expect(shortened(`${long}1`)).not.toBe(shortened(`${long}2`));
});

test('what is known of a file survives as metadata in ASCII', () => {
  const record = {
    path: 'a',
    size: 3,
    sha256: 'ab',
    original: { size: 5, sha256: 'cd' },
    withheld: `ö${'%'.repeat(2_000)}`,
  };
  const metadata = metadataOf(record);
  expect(JSON.stringify(metadata).length).toBeLessThan(2_048);
  expect(recordIn('a', 3, metadata)).toMatchObject({ ...record, withheld: expect.stringMatching(/^ö%+$/) });
  expect(recordIn('a', 3, { other: 'x' })).toBeUndefined();
});

test.each([
  [{}, { forcePathStyle: false, region: 'us-east-1' }],
  [{ AWS_ENDPOINT_URL_S3: 'http://s3' }, { forcePathStyle: true, endpoint: 'http://s3' }],
  [
    { AWS_ENDPOINT_URL: 'http://s3', EVALSAGA_S3_PATH_STYLE: '0' },
    { forcePathStyle: false, endpoint: 'http://s3' },
  ],
  [{ AWS_REGION: 'eu-central-1' }, { region: 'eu-central-1' }],
])('%j is understood', (env, expected) => expect(s3Config(env)).toMatchObject(expected));

test('a missing file of certificate authorities is named', () => {
  expect(() => s3Config({ AWS_CA_BUNDLE: '/none/ca.pem' })).toThrow(/AWS_CA_BUNDLE names \/none\/ca.pem/);
});

test.each([
  [{ name: 'CredentialsProviderError', message: 'none' }, 'refused'],
  [{ name: 'Unknown', $metadata: { httpStatusCode: 403 } }, 'refused'],
  [{ name: 'SlowDown', $metadata: { httpStatusCode: 503 } }, 'unavailable'],
  [{ name: 'Error', code: 'ECONNRESET', message: 'socket hang up' }, 'unavailable'],
  [{ name: 'InsufficientStorage', $metadata: { httpStatusCode: 507 } }, 'full'],
] as const)('%j: %s', (error, kind) => expect(s3Fault('s3://b', error)).toMatchObject({ kind }));

describe('on a disk', () => {
  let folder: { path: string; dispose: () => Promise<void> };
  beforeEach(async () => (folder = await freshFolder('store-access')));
  afterEach(() => folder.dispose());

  test('the launcher hands on credentials; a process that has its own keeps to them', async () => {
    const home = { credentials: path.join(folder.path, 'credentials') };
    expect(await storeEnv(home, { A: '1' })).toEqual({ A: '1' });
    await saveStoreAccess(home, { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key', OTHER: 'x' });
    // A background worker inherits the id, which is no secret, but not the key.
    expect(await storeEnv(home, { AWS_ACCESS_KEY_ID: 'old' })).toEqual({
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'key',
    });
    const own = { AWS_ACCESS_KEY_ID: 'mine', AWS_SECRET_ACCESS_KEY: 'mine too' };
    expect(await storeEnv(home, own)).toBe(own);
    expect(await storeEnv(home, { AWS_PROFILE: 'team' })).toEqual({ AWS_PROFILE: 'team' });
  });

  test('a worker that starts removes what killed ones left, and nothing of a living one', async () => {
    const living = `${process.ppid}-living`;
    for (const name of [`${process.pid}-restarted`, '999999999-dead', living, `${process.ppid}-old`, 'else'])
      await mkdir(path.join(folder.path, name));
    await writeFile(path.join(folder.path, living, 'file'), 'x');
    await utimes(path.join(folder.path, `${process.ppid}-old`), 1, 1);
    await clearStaging(folder.path);
    expect(await readdir(folder.path)).toEqual([living]);
    await clearStaging(path.join(folder.path, 'none'));
  });
});
