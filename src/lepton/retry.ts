import { setTimeout as sleep } from 'node:timers/promises';
import { LeptonError, type LeptonErrorKind } from './lepton-error';
import { retryDelayMs } from './retry-timing';

/** For commands that ask the platform themselves: nobody repeats for them what failed in passing, as Temporal does for activities. */
export interface RetryOptions {
  /** For how long one call is repeated, milliseconds, its pauses included. */
  readonly withinMs: number;
  /** Told before each repetition why, and in how many milliseconds. */
  readonly onRetry?: ((reason: string, delayMs: number) => void) | undefined;
}

const retriedKinds: ReadonlySet<LeptonErrorKind> = new Set(['network', 'server', 'rate_limited', 'invalid_response']);

/** What `ask` comes to, asked again while the platform fails in passing. Throws its last error, and any other at once. */
export async function withRetries<T>(
  ask: () => Promise<T>,
  { withinMs, onRetry, signal }: RetryOptions & { readonly signal?: AbortSignal | undefined },
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof LeptonError) || !retriedKinds.has(error.kind)) throw error;
      const { kind, retryAfterMs, pace, message } = error;
      const delayMs = retryDelayMs({ kind, attempt, retryAfterMs, pace, random: Math.random });
      if (Date.now() + delayMs > deadline) throw error;
      onRetry?.(message, delayMs);
      await sleep(delayMs, undefined, { signal });
    }
  }
}
