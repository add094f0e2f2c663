/**
 * A lock for one holder at a time, granted in the order of the calls. A list of prompts locks once per prompt, so
 * that others get their turn.
 */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /** Resolves to the function that releases the lock. Rejects, without holding it, if `signal` aborts first. */
  async acquire(signal: AbortSignal): Promise<() => void> {
    let release = (): void => undefined;
    const previous = this.#tail;
    this.#tail = new Promise<void>((resolve) => (release = resolve));
    await previous;
    if (signal.aborted) {
      release();
      signal.throwIfAborted();
    }
    return release;
  }
}
