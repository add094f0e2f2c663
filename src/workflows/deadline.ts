import { CancellationScope, sleep } from '@temporalio/workflow';

/**
 * Runs `work` for at most `seconds`, then cancels it and settles as `onExpiry` does. Uses a timer rather than an execution
 * timeout so that the workflow survives to tear down. A cancel from outside is passed on unchanged.
 */
export async function withDeadline<T>(options: {
  readonly seconds: number;
  readonly summary: string;
  readonly work: () => Promise<T>;
  readonly onExpiry: () => Promise<T>;
}): Promise<T> {
  const scope = new CancellationScope();
  const timer = new CancellationScope();
  let expired = false;
  const ticking = timer.run(async () => {
    await sleep(options.seconds * 1000, { summary: options.summary });
    expired = true;
    scope.cancel();
  });
  ticking.catch(() => undefined);
  try {
    return await scope.run(options.work);
  } catch (error) {
    if (expired) return await options.onExpiry();
    throw error;
  } finally {
    timer.cancel();
  }
}

/** Settles as `main` does, unless `guard` rejects first. Cancels and awaits the other one. */
export async function guardedBy<T>(main: () => Promise<T>, guard: () => Promise<never>): Promise<T> {
  const mainScope = new CancellationScope();
  const guardScope = new CancellationScope();
  const running = mainScope.run(main);
  const guarding = guardScope.run(guard);
  guarding.catch(() => undefined);
  running.catch(() => undefined);
  try {
    return await Promise.race([running, guarding]);
  } finally {
    mainScope.cancel();
    guardScope.cancel();
    await Promise.allSettled([running, guarding]);
  }
}
