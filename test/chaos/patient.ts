import { setTimeout as sleep } from 'node:timers/promises';
import { LeptonError } from '../../src/lepton/lepton-error';

const withinMs = 30_000;

/** The same object, whose calls wait for a platform that was killed a moment ago. For those who look, not for the run. */
export function patient<T extends object>(target: T): T {
  return new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value === 'object' && value !== null) return patient(value);
      if (typeof value !== 'function') return value;
      const call = (...args: readonly unknown[]): unknown => Reflect.apply(value as () => unknown, target, args);
      return (...args: readonly unknown[]) => {
        const result = call(...args);
        if (isPaged(result)) return wholly(() => call(...args) as AsyncIterable<unknown>);
        return result instanceof Promise ? again(result, () => call(...args) as Promise<unknown>) : result;
      };
    },
  });
}

const isPaged = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/** All pages at once: one of them may need another try, and what came before it has changed by then. */
async function* wholly(ask: () => AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const all = async (): Promise<unknown[]> => {
    const pages: unknown[] = [];
    for await (const page of ask()) pages.push(page);
    return pages;
  };
  yield* (await again(all(), all)) as unknown[];
}

async function again(first: Promise<unknown>, ask: () => Promise<unknown>): Promise<unknown> {
  const deadline = Date.now() + withinMs;
  for (let result = first; ; result = ask()) {
    try {
      return await result;
    } catch (error) {
      if (!(error instanceof LeptonError && error.kind === 'network') || Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}
