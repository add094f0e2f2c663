import { setTimeout as sleep } from 'node:timers/promises';
import { LeptonError } from '../../src/lepton/lepton-error';

const withinMs = 30_000;

/**
 * Wraps a client so that its calls are retried while a killed platform restarts. Used to check a run, not by the run.
 */
export function retrying<T extends object>(target: T): T {
  return new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value === 'object' && value !== null) return retrying(value);
      if (typeof value !== 'function') return value;
      const call = (...args: readonly unknown[]): unknown => Reflect.apply(value as () => unknown, target, args);
      return (...args: readonly unknown[]) => {
        const result = call(...args);
        if (isPaged(result)) return allPages(() => call(...args) as AsyncIterable<unknown>);
        return result instanceof Promise ? withRetries(result, () => call(...args) as Promise<unknown>) : result;
      };
    },
  });
}

const isPaged = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** Fetches all pages together, because earlier pages may have changed when a later one is retried. */
async function* allPages(ask: () => AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const all = async (): Promise<unknown[]> => {
    const pages: unknown[] = [];
    for await (const page of ask()) pages.push(page);
    return pages;
  };
  yield* (await withRetries(all(), all)) as unknown[];
}

/** Answers contradict each other when a folder is created between them, as by another case on the same platform. */
const mayPass = (error: unknown): boolean =>
  error instanceof LeptonError && (error.kind === 'network' || error.kind === 'invalid_response');

async function withRetries(first: Promise<unknown>, ask: () => Promise<unknown>): Promise<unknown> {
  const deadline = Date.now() + withinMs;
  for (let result = first; ; result = ask()) {
    try {
      return await result;
    } catch (error) {
      if (!mayPass(error) || Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}
