/**
 * Runs the steps of one resource one after another. A new step supersedes the current one: the current step's signal
 * aborts, and the new step starts once it has returned.
 */
export class StepRunner {
  #current = new AbortController();
  #work: Promise<void> = Promise.resolve();
  readonly #onFailure: (error: unknown) => void | Promise<void>;

  constructor(onFailure: (error: unknown) => void | Promise<void>) {
    this.#onFailure = onFailure;
  }

  /** Resolves when the step is over. A failure goes to `onFailure`, unless the step was superseded. */
  run(step: (signal: AbortSignal) => Promise<void>): Promise<void> {
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

  /** Aborts the current step and resolves when it has returned. */
  async stop(): Promise<void> {
    this.#current.abort();
    await this.#work;
  }
}
