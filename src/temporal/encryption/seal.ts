import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { EncryptionKeyError } from './key-error';
import type { EncryptionKey } from './key-file';
import type { KeyRing } from './key-ring';

/** Seals values with the encryption key, for a place that others may read (AES-256-GCM). What is sealed is bound to its purpose. */

/** What is sealed for one run can't be opened for another. Pure. */
export const sealedFor = (invocation: string): string => `secrets of run ${invocation}`;

const nonceBytes = 12;
const tagBytes = 16;

const sealed = z.object({ version: z.literal(1), key: z.string(), data: z.string() });
const values = z.record(z.string(), z.string());

export type Values = Readonly<Record<string, string>>;

/** Returns the sealed text. `purpose`: what must be said again to open it. */
export function seal(content: Values, { secret, id }: EncryptionKey, purpose: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', secret, nonce, { authTagLength: tagBytes });
  cipher.setAAD(boundTo(purpose, id));
  const text = Buffer.concat([cipher.update(JSON.stringify(content), 'utf8'), cipher.final()]);
  const data = Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64');
  return `${JSON.stringify({ version: 1, key: id, data })}\n`;
}

/** Returns the values. Throws `EncryptionKeyError` if the key is missing, or the text is damaged or was sealed for something else. */
export function unseal(text: string, ring: KeyRing, purpose: string): Values {
  const parsed = sealed.safeParse(jsonOf(text));
  if (!parsed.success) throw damaged();
  const { key: id, data } = parsed.data;
  const { secret } = ring.find(id);
  const bytes = Buffer.from(data, 'base64');
  if (bytes.length < nonceBytes + tagBytes) throw damaged();
  const decipher = createDecipheriv('aes-256-gcm', secret, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(boundTo(purpose, id));
  decipher.setAuthTag(bytes.subarray(-tagBytes));
  try {
    const opened = [decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()];
    return values.parse(JSON.parse(Buffer.concat(opened).toString('utf8')));
  } catch {
    // An error of the parser would quote what was opened.
    throw damaged();
  }
}

const boundTo = (purpose: string, id: string): Buffer => Buffer.from(`evalsaga ${purpose} ${id}`, 'utf8');

const damaged = (): EncryptionKeyError =>
  new EncryptionKeyError(
    'The sealed secrets were damaged or changed, or sealed for another run: they can not be opened.',
  );

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
