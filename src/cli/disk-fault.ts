import { homePaths } from '../home/paths';
import { localFault } from '../support/local-fault';
import { whyNotWritable } from '../support/writable';
import { InfrastructureError } from '../temporal/infrastructure-error';
import type { Env } from '../temporal/target';

/**
 * Returns the error with the disk's fault, if there is one. A full or read-only disk shows in many ways: as the system's own
 * error, which often names no file, or as a Temporal server that does not answer.
 */
export async function withDiskFault(error: unknown, env: Env): Promise<unknown> {
  const fault = localFault(error);
  const { root } = homePaths(env);
  if (fault) {
    const where = fault.path ?? `a file (of the home ${root}, or in the results folder)`;
    return new InfrastructureError(
      `${where} can't be written: ${fault.reason}. Free some space or fix it, then try again.`,
      {
        cause: error,
      },
    );
  }
  if (!(error instanceof InfrastructureError)) return error;
  const reason = await whyNotWritable(root);
  if (reason === undefined || error.message.includes(reason)) return error;
  return new InfrastructureError(
    `${error.message}\nThe home folder ${root} can't be written: ${reason}. Temporal and the worker of this home need it: free some space first.`,
    { cause: error },
  );
}
