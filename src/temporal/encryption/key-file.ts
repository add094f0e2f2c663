import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomically } from '../../support/atomic-file';
import { EncryptionKeyError } from './key-error';

/**
 * The file with the user's keys: one per line, 32 bytes in base64, oldest first; `#` starts a comment. The last key encrypts, all
 * keys decrypt.
 */

/** Holds the path of the key file, for every process of evalsaga. */
export const keyFileVariable = 'EVALSAGA_ENCRYPTION_KEY_FILE';

export interface EncryptionKey {
  /** 16 hexadecimal digits of a digest of the key; stored in the clear with each payload. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Buffer;
}

const keyBytes = 32;

/** Reads the keys, oldest first; at least one. Throws `EncryptionKeyError`. */
export function readKeyFile(file: string): readonly EncryptionKey[] {
  const keys = readPrivately(file)
    .split('\n')
    .map((line, at) => ({ text: line.replace(/#.*/, '').trim(), number: at + 1 }))
    .filter(({ text }) => text !== '')
    .map(({ text, number }) => parseKey(text, `line ${number} of the key file ${file}`));
  if (keys.length > 0) return keys;
  throw new EncryptionKeyError(`The key file ${file} holds no key. Make one with: evalsaga key ANOTHER_FILE`);
}

/** Reads a file that only its owner may access. Checks that on the open file, so that it is the one that is read. */
function readPrivately(file: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (error) {
    throw unreadable(file, error);
  }
  try {
    const { mode } = fstatSync(descriptor);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(3, '0');
      throw new EncryptionKeyError(
        `Others than its owner can access the key file ${file} (mode ${shown}). If nobody has read it: chmod 600 ${file}`,
      );
    }
    return readFileSync(descriptor, 'utf8');
  } catch (error) {
    throw error instanceof EncryptionKeyError ? error : unreadable(file, error);
  } finally {
    closeSync(descriptor);
  }
}

function unreadable(file: string, error: unknown): EncryptionKeyError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const advice = code === 'ENOENT' ? `Make one with: evalsaga key ${file}` : `Check ${keyFileVariable}.`;
  return new EncryptionKeyError(`The key file ${file} can't be read (${code}). ${advice}`, { cause: error });
}

/** Error messages never contain the text: it may be most of a key. */
function parseKey(text: string, where: string): EncryptionKey {
  const secret = Buffer.from(text, 'base64');
  if (
    !/^[A-Za-z0-9+/]+={0,2}$/.test(text) ||
    secret.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')
  ) {
    throw new EncryptionKeyError(`${capital(where)} is no base64. A key is ${keyBytes} random bytes in base64.`);
  }
  if (secret.length !== keyBytes) {
    throw new EncryptionKeyError(
      `${capital(where)} holds ${secret.length} bytes. A key is ${keyBytes} random bytes in base64.`,
    );
  }
  return { id: keyId(secret), secret };
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const keyId = (secret: Buffer): string =>
  createHash('sha256').update('evalsaga key id\0').update(secret).digest('hex').slice(0, 16);

/** Creates a file with a new key, mode 0600. Throws `EncryptionKeyError` if the file exists. */
export async function createKeyFile(file: string): Promise<EncryptionKey> {
  const key = newKey();
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  try {
    await writeNew(file, lineOf(key));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unwritable(file, error);
    throw new EncryptionKeyError(
      `${file} exists already; data that was encrypted with its keys can only be read with them. To encrypt with a new key from now on: evalsaga key ${file} --rotate`,
    );
  }
  return key;
}

/** Appends a new key, which encrypts from now on. Throws `EncryptionKeyError`. */
export async function rotateKeyFile(file: string): Promise<EncryptionKey> {
  readKeyFile(file);
  const key = newKey();
  try {
    const text = `${readFileSync(file, 'utf8').replace(/\n*$/, '\n')}${lineOf(key)}`;
    await writeAtomically(file, (draft) => draft.writeFile(text), { file: 0o600 });
  } catch (error) {
    throw unwritable(file, error);
  }
  return key;
}

function newKey(): EncryptionKey {
  const secret = randomBytes(keyBytes);
  return { id: keyId(secret), secret };
}

const lineOf = ({ id, secret }: EncryptionKey): string =>
  `${secret.toString('base64')} # ${id}, ${new Date().toISOString().slice(0, 10)}\n`;

async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const unwritable = (file: string, error: unknown): EncryptionKeyError =>
  new EncryptionKeyError(`The key file ${file} can't be written: ${(error as Error).message}`, { cause: error });
