/**
 * Steps of one resource, one after another. A new step makes the one under way give up first: its signal aborts, and the
 * new one starts when it has returned.
 */
export class Lifeline {
  #current = new AbortController();
  #work: Promise<void> = Promise.resolve();
  readonly #onFailure: (error: unknown) => void | Promise<void>;

  constructor(onFailure: (error: unknown) => void | Promise<void>) {
    this.#onFailure = onFailure;
  }

  /** Resolves when the step is over. A failure goes to `onFailure`, unless the step was made to give up. */
  next(step: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#current.abort();
    const controller = new AbortController();
    this.#current = controller;
    this.#work = this.#work.then(async () => {
      if (controller.signal.aborted) return;
      try {
        await step(controller.signal);
      } catch (error) {
        if (!controller.signal.aborted) await this.#onFailure(error);
      }
    });
    return this.#work;
  }

  /** The step under way gives up, and none follows. */
  async stop(): Promise<void> {
    this.#current.abort();
    await this.#work;
  }
}
