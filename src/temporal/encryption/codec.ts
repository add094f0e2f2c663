import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { EncryptionKeyError } from './key-error';
import type { EncryptionKey } from './key-file';
import type { KeyRing } from './key-ring';

/**
 * AES-256-GCM over whole payloads, metadata included. Encrypted data is the nonce (12 bytes), the cipher text and the tag (16
 * bytes). Payloads that are not encrypted pass, so that runs that were started without a key stay readable.
 */

const encoding = 'binary/encrypted';
const algorithm = 'A256GCM';
const nonceBytes = 12;
const tagBytes = 16;

/** Names of metadata, as in the samples of Temporal's SDKs. */
const names = { encoding: 'encoding', cipher: 'encryption-cipher', key: 'encryption-key-id' } as const;

const PayloadMessage = temporal.api.common.v1.Payload;

export function encryptionCodec(ring: KeyRing): PayloadCodec {
  return {
    encode(payloads) {
      const { newest } = ring;
      return Promise.resolve(newest === undefined ? payloads : payloads.map((payload) => encrypt(payload, newest)));
    },
    decode: (payloads) =>
      new Promise((resolve) => {
        resolve(payloads.map((payload) => (isEncrypted(payload) ? decrypt(payload, ring) : payload)));
      }),
  };
}

export const isEncrypted = (payload: Payload): boolean => metadata(payload, names.encoding) === encoding;

/** Returns the id of the key that a payload is encrypted with; `undefined` if it isn't encrypted. */
export const keyIdOf = (payload: Payload): string | undefined =>
  isEncrypted(payload) ? metadata(payload, names.key) : undefined;

function metadata({ metadata: entries }: Payload, name: string): string | undefined {
  const value = entries?.[name];
  return value ? Buffer.from(value).toString('utf8') : undefined;
}

function encrypt(payload: Payload, key: EncryptionKey): Payload {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key.secret, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(key.id, 'utf8'));
  const text = Buffer.concat([cipher.update(PayloadMessage.encode(payload).finish()), cipher.final()]);
  return {
    metadata: {
      [names.encoding]: Buffer.from(encoding),
      [names.cipher]: Buffer.from(algorithm),
      [names.key]: Buffer.from(key.id),
    },
    data: Buffer.concat([nonce, text, cipher.getAuthTag()]),
  };
}

function decrypt(payload: Payload, ring: KeyRing): Payload {
  const cipherName = metadata(payload, names.cipher);
  const id = metadata(payload, names.key);
  // Other codecs use the same name for their encoding.
  if (id === undefined || (cipherName !== undefined && cipherName !== algorithm)) {
    throw new EncryptionKeyError(`This was encrypted by another program (${cipherName ?? 'no key is named'}).`);
  }
  const key = ring.find(id);
  const data = Buffer.from(payload.data ?? new Uint8Array());
  if (data.length < nonceBytes + tagBytes) throw damaged(id);
  const decipher = createDecipheriv('aes-256-gcm', key.secret, data.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(Buffer.from(id, 'utf8'));
  decipher.setAuthTag(data.subarray(-tagBytes));
  try {
    const text = [decipher.update(data.subarray(nonceBytes, -tagBytes)), decipher.final()];
    return PayloadMessage.decode(Buffer.concat(text));
  } catch (error) {
    throw damaged(id, error);
  }
}

const damaged = (id: string, cause?: unknown): EncryptionKeyError =>
  new EncryptionKeyError(
    `Data that was encrypted with the key ${id} was damaged or changed since: it can't be trusted.`,
    {
      cause,
    },
  );
