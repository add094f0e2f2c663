import { maskSecrets } from './masking';

/** Errors looked at in a chain of causes. */
const deepest = 6;

/**
 * The secrets that become known while work on several runs goes on. Whatever is said about that work is masked with all of them:
 * a platform's answer about one run may quote another run's values.
 */
export class LearnedSecrets {
  private readonly known = new Set<string>();

  constructor(values: readonly string[] = []) {
    this.add(values);
  }

  add(values: readonly string[]): void {
    for (const value of values) this.known.add(value);
  }

  get values(): readonly string[] {
    return [...this.known];
  }

  /** Returns the text without any secret that is known by now. */
  mask(text: string): string {
    return maskSecrets(text, this.values);
  }

  /** Runs `work`; an error that it rejects with is the same object, masked. */
  async maskingErrors<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.maskError(error);
      throw error;
    }
  }

  /** The objects stay, since type, code and cause decide what happens next. */
  private maskError(error: unknown): void {
    const seen = new Set<unknown>();
    for (let next = error; next instanceof Error && !seen.has(next) && seen.size < deepest; next = next.cause) {
      seen.add(next);
      for (const name of ['message', 'details', 'stack'] as const) this.maskProperty(next, name);
    }
  }

  /** Some errors have their message from an accessor without a setter: an own property takes precedence. */
  private maskProperty(error: Error & { readonly details?: unknown }, name: 'message' | 'details' | 'stack'): void {
    const text = error[name];
    if (typeof text !== 'string') return;
    const masked = this.mask(text);
    if (masked !== text) Object.defineProperty(error, name, { value: masked, configurable: true, writable: true });
  }
}
