import type { DataConverter } from '@temporalio/common';
import { encryptionCodec } from './codec';
import { keyFileVariable } from './key-file';
import { keyRing, type KeyRing } from './key-ring';

/** What everything that talks to Temporal is to be made with: clients, workers, replays. */
export interface Encryption {
  readonly dataConverter: DataConverter;
  readonly ring: KeyRing;
  /** Payloads are encrypted; `false`: what others have encrypted is refused with an explanation, the rest is in the clear. */
  readonly isOn: boolean;
}

/** Encryption with the keys in the file that `EVALSAGA_ENCRYPTION_KEY_FILE` names; none without it. Throws `EncryptionKeyError`. */
export function encryptionOf(env: Readonly<Record<string, string | undefined>>): Encryption {
  const ring = keyRing(env[keyFileVariable] || undefined);
  const isOn = ring.newest !== undefined;
  const failures = isOn ? { failureConverterPath: require.resolve('./failure-converter') } : {};
  return { dataConverter: { ...failures, payloadCodecs: [encryptionCodec(ring)] }, ring, isOn };
}
