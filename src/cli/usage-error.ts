import { UsageFault } from '../support/usage-fault';

/** The command line itself was wrong: exit code 2. */
export class UsageError extends UsageFault {
  override readonly name = 'UsageError';
}

/** The user ended the command before there was anything to cancel, or detached from a run: exit code 130. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}
