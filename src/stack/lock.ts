import path from 'node:path';
import type { HomePaths } from '../home/paths';
import type { Report } from '../provision/once';
import { LockedElsewhere, withLock } from '../support/lock';
import { InfrastructureError } from '../temporal/infrastructure-error';

/** Runs `act` while no other command of this home starts or ends background processes. */
export async function withStackLock<T>(
  { home, report, signal }: { home: HomePaths; report?: Report | undefined; signal?: AbortSignal | undefined },
  act: () => Promise<T>,
): Promise<T> {
  const file = path.join(home.stack, 'commands.lock');
  const onWait = (): void =>
    report?.('waiting for another command that starts or stops the background processes of this home');
  try {
    return await withLock({ file, folderMode: 0o700, signal, onWait }, act);
  } catch (error) {
    throw error instanceof LockedElsewhere ? new InfrastructureError(error.message, { cause: error }) : error;
  }
}
