export interface Within {
  /** Milliseconds, from now. */
  readonly ms: number;
  /** Aborts the work, too. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that aborts when the given one does, or after `ms` (reason: a `TimeoutError`).
 *
 * Node can garbage-collect `AbortSignal.any([signal, AbortSignal.timeout(ms)])` before it fires (nodejs/node#57736): a request to
 * a server that hangs then never ended.
 */
export async function within<T>({ ms, signal }: Within, work: (bounded: AbortSignal) => Promise<T>): Promise<T> {
  const over = new AbortController();
  const follow = (): void => over.abort(signal?.reason);
  if (signal?.aborted) follow();
  signal?.addEventListener('abort', follow, { once: true });
  const timer = setTimeout(() => over.abort(new DOMException(`not done within ${ms} ms`, 'TimeoutError')), ms);
  try {
    return await work(over.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', follow);
  }
}
