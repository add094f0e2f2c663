import { setTimeout as sleep } from 'node:timers/promises';
import { LeptonError, type LeptonErrorKind } from './lepton-error';
import { retryDelayMs } from './retry-timing';

/** Retries for commands that call the platform themselves. Activities do not need them: Temporal retries those. */
export interface RetryOptions {
  /** How long one call may be retried, in milliseconds, pauses included. */
  readonly withinMs: number;
  /** Called before each retry with the reason and the delay in milliseconds. */
  readonly onRetry?: ((reason: string, delayMs: number) => void) | undefined;
}

const retriedKinds: ReadonlySet<LeptonErrorKind> = new Set(['network', 'server', 'rate_limited', 'invalid_response']);

/** Calls `ask`, and again while it fails with a transient `LeptonError`. Rejects with the last error, or with any other at once. */
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
