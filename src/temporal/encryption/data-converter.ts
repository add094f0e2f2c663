import type { DataConverter } from '@temporalio/common';
import { encryptionCodec } from './codec';
import { keyFileVariable } from './key-file';
import { keyRing, type KeyRing } from './key-ring';

/** Everything that talks to Temporal must use it: clients, workers, replays. */
export interface Encryption {
  readonly dataConverter: DataConverter;
  readonly ring: KeyRing;
  /** Whether payloads are encrypted. If not, payloads that others have encrypted are refused with an explanation. */
  readonly isOn: boolean;
}

/** Returns encryption with the keys of the file in `EVALSAGA_ENCRYPTION_KEY_FILE`; none if that is not set. Throws `EncryptionKeyError`. */
export function encryptionOf(env: Readonly<Record<string, string | undefined>>): Encryption {
  const ring = keyRing(env[keyFileVariable] || undefined);
  const isOn = ring.newest !== undefined;
  const failures = isOn ? { failureConverterPath: require.resolve('./failure-converter') } : {};
  return { dataConverter: { ...failures, payloadCodecs: [encryptionCodec(ring)] }, ring, isOn };
}
