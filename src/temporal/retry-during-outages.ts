import { setTimeout as sleep } from 'node:timers/promises';
import { isOutage } from './grpc';

/** Milliseconds for which a reachable Temporal may refuse a call, as when it limits rates. */
export const busyForMs = 30_000;

export interface OutageRetryOptions {
  /** Milliseconds from the first attempt after which an outage is thrown. */
  readonly withinMs: number;
  /** Milliseconds between two attempts. Default 500. */
  readonly pauseMs?: number;
  /** Called once, at the first attempt that an outage ends. */
  readonly onAway?: () => void;
  /** When it aborts, the last error is thrown. */
  readonly signal?: AbortSignal;
}

/** Runs `attempt`, again and again while Temporal can't be reached. Throws other errors at once. */
export async function retryDuringOutages<T>(
  attempt: () => Promise<T>,
  { withinMs, pauseMs = 500, onAway, signal }: OutageRetryOptions,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isAway(error) || signal?.aborted || Date.now() + pauseMs > deadline) throw error;
      if (tries === 1) onAway?.();
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Whether Temporal could not be reached. The native connection of workers throws another error than the client's. */
export const isAway = (error: unknown): boolean =>
  isOutage(error) || (error instanceof Error && error.name === 'TransportError');
