import { encryptionOf } from '../temporal/encryption/data-converter';
import { EncryptionKeyError } from '../temporal/encryption/key-error';
import { keyFileVariable, readKeyFile } from '../temporal/encryption/key-file';
import type { Env } from '../temporal/target';
import type { ServiceRecord } from './record';

/** How encryption shows in the records of background processes. */

const none = '-';

/** Ids of the keys of this environment, for a process's `setup`: with another set of keys it is started anew. */
export function keyMark(env: Env): string {
  const { isOn } = encryptionOf(env);
  return isOn
    ? readKeyFile(env[keyFileVariable] ?? '')
        .map(({ id }) => id)
        .join(',')
    : none;
}

/** The marks that a worker's `setup` ends with. */
export const withKeyMark = (setup: readonly string[], env: Env): string => [...setup, `keys=${keyMark(env)}`].join(' ');

/**
 * Refuses a command without a key for a worker that has one: it would be replaced by one that can't go on with the runs
 * that are encrypted, and new runs would be in the clear although the user wanted them encrypted.
 */
export function refuseLosingTheKey(running: ServiceRecord, env: Env): void {
  const [, keys = none] = / keys=(\S+)$/.exec(running.setup) ?? [];
  if (keys === none || keyMark(env) !== none) return;
  throw new EncryptionKeyError(
    `The background worker of this home encrypts (keys ${keys}), and this command has no key. Set ${keyFileVariable} here too; to end encryption for new runs: evalsaga down, then evalsaga up.`,
  );
}
