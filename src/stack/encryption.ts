import { encryptionOf } from '../temporal/encryption/data-converter';
import { EncryptionKeyError } from '../temporal/encryption/key-error';
import { keyFileVariable, readKeyFile } from '../temporal/encryption/key-file';
import type { Env } from '../temporal/target';
import type { ServiceRecord } from './record';

/** Encryption in the records of background processes. */

const none = '-';

/** Returns the ids of this environment's keys, for a process's `setup`: with other keys it is restarted. */
export function keyIds(env: Env): string {
  const { isOn } = encryptionOf(env);
  return isOn
    ? readKeyFile(env[keyFileVariable] ?? '')
        .map(({ id }) => id)
        .join(',')
    : none;
}

/** Returns the `setup` of a process that encrypts or decrypts. */
export const withKeyIds = (setup: readonly string[], env: Env): string => [...setup, `keys=${keyIds(env)}`].join(' ');

/**
 * Refuses a command without a key if the running worker has one. Otherwise a worker would replace it that can't continue encrypted
 * runs, and new runs would not be encrypted although the user once wanted that.
 */
export function refuseLosingTheKey(running: ServiceRecord, env: Env): void {
  const [, keys = none] = / keys=(\S+)$/.exec(running.setup) ?? [];
  if (keys === none || keyIds(env) !== none) return;
  throw new EncryptionKeyError(
    `The background worker of this home encrypts (keys ${keys}), and this command has no key. Set ${keyFileVariable} here too; to end encryption for new runs: evalsaga down, then evalsaga up.`,
  );
}
