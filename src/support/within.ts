export interface Within {
  /** Milliseconds, from now. */
  readonly ms: number;
  /** Ends the work as well. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does the work with a signal that aborts with the given one, or when the time is over (reason: a `TimeoutError`).
 *
 * Instead of `AbortSignal.any([signal, AbortSignal.timeout(ms)])`, which Node forgets when memory is tidied up in between
 * (nodejs/node#57736): a question to a server that hangs then never ended.
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
