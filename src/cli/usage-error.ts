import { UsageFault } from '../support/usage-fault';

/** The command line is wrong: exit code 2. */
export class UsageError extends UsageFault {
  override readonly name = 'UsageError';
}

/** The user interrupted the command before there was anything to cancel: exit code 130. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}
