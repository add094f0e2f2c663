import { randomBytes } from 'node:crypto';
import { EncryptionKeyError } from '../../../src/temporal/encryption/key-error';
import { seal, sealedFor, unseal } from '../../../src/temporal/encryption/seal';

/** Secrets that are sealed with the encryption key. */

const key = { id: '0123456789abcdef', secret: randomBytes(32) };
const ring = {
  newest: key,
  find: (id: string) => {
    if (id !== key.id) throw new EncryptionKeyError(`no key ${id}`);
    return key;
  },
};
const values = { HF_TOKEN: 'hf_ünïcode "quoted"', EMPTY: '' };
const purpose = sealedFor('aaaa');

test('what is sealed is opened with the same key for the same run', () => {
  const text = seal(values, key, purpose);
  expect(text).not.toContain('code');
  expect(text).not.toContain('HF_TOKEN');
  expect(unseal(text, ring, purpose)).toEqual(values);
  expect(seal(values, key, purpose)).not.toBe(text);
});

test.each([
  ['for another run', (text: string) => text, sealedFor('bbbb')],
  ['with another key', (text: string) => text.replace(key.id, 'f'.repeat(16)), purpose],
  [
    'changed',
    (text: string) => text.replace(/"data":"(.)/, (_, first) => `"data":"${first === 'A' ? 'B' : 'A'}`),
    purpose,
  ],
  ['cut', (text: string) => text.slice(0, 40), purpose],
  ['empty', () => '', purpose],
])('what is sealed is not opened %s, and the error quotes nothing of it', (_, change, asked) => {
  const text = change(seal(values, key, purpose));
  expect(() => unseal(text, ring, asked)).toThrow(EncryptionKeyError);
  expect(() => unseal(text, ring, asked)).not.toThrow(/hf_/);
});
