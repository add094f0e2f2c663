import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import type { HomePaths } from '../home/paths';
import type { Report } from '../provision/once';

/** A holder that was killed counts as gone after this time without a sign of life. */
const STALE_MS = 10_000;
const POLL_MS = 100;

/** Runs `act` while no other command of this home starts or ends background processes. */
export async function withStackLock<T>(
  { home, report, signal }: { home: HomePaths; report?: Report | undefined; signal?: AbortSignal | undefined },
  act: () => Promise<T>,
): Promise<T> {
  await mkdir(home.stack, { recursive: true, mode: 0o700 });
  const release = await acquire({ home, report, signal });
  try {
    return await act();
  } finally {
    await release().catch(() => undefined);
  }
}

async function acquire({
  home,
  report,
  signal,
}: {
  home: HomePaths;
  report: Report | undefined;
  signal: AbortSignal | undefined;
}): Promise<() => Promise<void>> {
  for (let told = false; ;) {
    signal?.throwIfAborted();
    try {
      return await lock(home.stack, { stale: STALE_MS, onCompromised: () => undefined });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
    }
    if (!told) report?.('waiting for another command that starts or stops the background processes of this home');
    told = true;
    await sleep(POLL_MS);
  }
}
