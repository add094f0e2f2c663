import { EncryptionKeyError } from './key-error';
import { keyFileVariable, readKeyFile, type EncryptionKey } from './key-file';

/** The keys of a process. */
export interface KeyRing {
  /** The key that encrypts; `undefined` if nothing is encrypted. */
  readonly newest: EncryptionKey | undefined;
  /** Throws `EncryptionKeyError`, naming the key, if it is missing. */
  find(id: string): EncryptionKey;
}

/**
 * Returns the keys of the file, which is read again for an unknown key: after a rotation, running processes can read what newer
 * ones have written. Throws `EncryptionKeyError`.
 */
export function keyRing(file: string | undefined): KeyRing {
  if (file === undefined) return { newest: undefined, find: (id) => fail(id, undefined) };
  let keys = readKeyFile(file);
  const known = (id: string): EncryptionKey | undefined => keys.find((key) => key.id === id);
  return {
    newest: keys.at(-1),
    find(id) {
      const found = known(id);
      if (found) return found;
      keys = readKeyFile(file);
      return known(id) ?? fail(id, file);
    },
  };
}

function fail(id: string, file: string | undefined): never {
  const advice =
    file === undefined
      ? `Set ${keyFileVariable} to the file with that key.`
      : `The key file ${file} does not have it: add its line there, above the last one, or set ${keyFileVariable} to the file that has it.`;
  throw new EncryptionKeyError(`This was encrypted with the key ${id}. ${advice}`);
}
