import { UsageFault } from '../../support/usage-fault';

/** The user's encryption key, or the file it is in, does not do: exit code 2. */
export class EncryptionKeyError extends UsageFault {
  override readonly name = 'EncryptionKeyError';
}
