import { statfs } from 'node:fs/promises';
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
  if (reason === undefined) {
    const hint = roomHint(await freeBytes(root), root);
    return hint === undefined ? error : new InfrastructureError(`${error.message}\n${hint}`, { cause: error });
  }
  if (error.message.includes(reason)) return error;
  return new InfrastructureError(
    `${error.message}\nThe home folder ${root} can't be written: ${reason}. Temporal and the worker of this home need it: free some space first.`,
    { cause: error },
  );
}

/** Bytes below which a disk counts as full: what was to be written may have been larger, and is gone again. */
const leastFree = 64 * 1024 * 1024;

/** What to say of a home's disk that takes a little, but not much. Pure. */
export function roomHint(free: number | undefined, root: string): string | undefined {
  if (free === undefined || free >= leastFree) return undefined;
  return `Only ${(free / 1e6).toFixed(1)} MB are free for the home folder ${root}, which may be why: make room first.`;
}

/** `undefined`: not known, as for a home that is still to be made. */
async function freeBytes(folder: string): Promise<number | undefined> {
  const found = await statfs(folder).catch(() => undefined);
  return found && found.bavail * found.bsize;
}
