import { UsageFault } from '../../support/usage-fault';

/** The user's encryption key, or its file, can't be used. Exit code 2. */
export class EncryptionKeyError extends UsageFault {
  override readonly name = 'EncryptionKeyError';
}
