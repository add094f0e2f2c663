/** The user's encryption key, or the file it is in, does not do: exit code 2. */
export class EncryptionKeyError extends Error {
  override readonly name = 'EncryptionKeyError';
}
