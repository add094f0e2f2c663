/** Lets one holder in at a time, in the order of asking. A list of prompts asks once per prompt, so that others get their turn. */
export class Turns {
  #tail: Promise<void> = Promise.resolve();

  /** Resolves to the function that ends the turn. Rejects, without taking a turn, when `signal` aborts first. */
  async take(signal: AbortSignal): Promise<() => void> {
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
