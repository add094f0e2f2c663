import { setTimeout as sleep } from 'node:timers/promises';
import { isOutage } from './grpc';

/** How long a Temporal that is there may refuse one call, as when it limits rates. Milliseconds. */
export const busyForMs = 30_000;

export interface OutagePatience {
  /** How long Temporal may be away, milliseconds. */
  readonly withinMs: number;
  /** Between two attempts. Default 500. */
  readonly pauseMs?: number;
  /** Called once, when Temporal is found to be away. */
  readonly onAway?: () => void;
  /** Ends the patience: the last error is thrown. */
  readonly signal?: AbortSignal;
}

/** What `attempt` comes to, made again while Temporal is away. Throws its error when that lasts, and any other at once. */
export async function throughOutages<T>(
  attempt: () => Promise<T>,
  { withinMs, pauseMs = 500, onAway, signal }: OutagePatience,
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

/** The native connection of workers has an error of its own for a server that is not there. */
const isAway = (error: unknown): boolean =>
  isOutage(error) || (error instanceof Error && error.name === 'TransportError');
