import { setTimeout as sleep } from 'node:timers/promises';
import { isOutage } from './grpc';

export interface OutagePatience {
  /** How long Temporal may be away, milliseconds. */
  readonly withinMs: number;
  /** Between two attempts. Default 500. */
  readonly pauseMs?: number;
}

/** What `attempt` comes to, made again while Temporal is away. Throws its error when that lasts, and any other at once. */
export async function throughOutages<T>(
  attempt: () => Promise<T>,
  { withinMs, pauseMs = 500 }: OutagePatience,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isAway(error) || Date.now() + pauseMs > deadline) throw error;
      await sleep(pauseMs);
    }
  }
}

/** The native connection of workers has an error of its own for a server that is not there. */
const isAway = (error: unknown): boolean =>
  isOutage(error) || (error instanceof Error && error.name === 'TransportError');
