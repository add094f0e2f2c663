import fc from 'fast-check';
import { chooseSlot, reusablePrefix, type Slot } from '../../../src/local-platform/model-server/slots';
import { BATCH_SIZE, splitIntoBatches, MIN_BATCH_SIZE } from '../../../src/local-platform/model-server/batches';
import { StopFilter } from '../../../src/local-platform/model-server/text';
import { Mutex } from '../../../src/local-platform/model-server/mutex';
import { LogprobReader, readAll } from '../../../src/local-platform/model-server/logprobs';
import type { NativeContext, NativeSampler, SamplerConfig } from '../../../src/local-platform/model-server/native';
import { holds } from '../../support/fuzz';

const tokens = (text: string): number[] => [...text].map((character) => character.charCodeAt(0));

function slot(sequence: number, text: string, { usedAt = 0, scored = true, topCount = 1 } = {}): Slot {
  const held = tokens(text);
  const predictions = held.slice(0, -1).map((_, i) => ({
    top: Array.from({ length: topCount }, () => ({ token: 0, logprob: 0 })),
    target: { token: held[i + 1] ?? -1, logprob: -1 },
  }));
  return { sequence, tokens: held, predictions: scored ? predictions : [], usedAt };
}

describe('reuse of earlier prompts', () => {
  test('a common prefix is reused, except the last two tokens', () => {
    expect(reusablePrefix(slot(0, 'hello world'), tokens('hello there'), undefined)).toBe(6);
    expect(reusablePrefix(slot(0, 'hello'), tokens('hello'), undefined)).toBe(3);
    expect(reusablePrefix(slot(0, 'hello'), tokens('x'), undefined)).toBe(0);
  });

  test('with log probabilities, only positions with the same query are reused', () => {
    // The prediction at the last common token is about another token.
    expect(reusablePrefix(slot(0, 'hello world'), tokens('hello there'), 1)).toBe(5);
    expect(reusablePrefix(slot(0, 'hello world', { scored: false }), tokens('hello world'), 1)).toBe(0);
    expect(reusablePrefix(slot(0, 'hello world', { topCount: 2 }), tokens('hello world'), 3)).toBe(0);
    expect(reusablePrefix(slot(0, 'hello world', { topCount: 3 }), tokens('hello world'), 3)).toBe(9);
  });

  test('the slot with the longest common prefix is chosen if enough is common, else the least recently used', () => {
    const slots = [
      slot(0, 'question one, answer', { usedAt: 3 }),
      slot(1, 'something else', { usedAt: 2 }),
      slot(2, ''),
    ];
    expect(chooseSlot(slots, tokens('question one, reply'), undefined)).toMatchObject({ slot: slots[0], reused: 14 });
    expect(chooseSlot(slots, tokens('quiet'), undefined)).toMatchObject({ slot: slots[2], reused: 0 });
  });
});

test('batches cover the tokens in order, and none is a single token unless there is only one', () => {
  holds(
    fc.property(fc.integer({ min: 1, max: 5 * BATCH_SIZE }), (count) => {
      const all = Array.from({ length: count }, (_, i) => i);
      const batches = splitIntoBatches(all);
      expect(batches.flat()).toEqual(all);
      expect(batches.every(({ length }) => length <= BATCH_SIZE && length >= Math.min(MIN_BATCH_SIZE, count))).toBe(
        true,
      );
    }),
  );
});

describe('log probabilities from samples', () => {
  /** Samples from given logits as the binding does: bias, then truncation, then shares among the rest. */
  const contextOf = (logits: readonly number[]): NativeContext =>
    ({
      sampleToken: (_index: number, sampler: NativeSampler & { config?: SamplerConfig }, probabilities: boolean) => {
        const {
          tokenBiasKeys = new Uint32Array(),
          tokenBiasValues = new Float32Array(),
          topK,
          temperature,
        } = sampler.config ?? {};
        const biased = logits.map((logit, token) => {
          const at = tokenBiasKeys.indexOf(token);
          return { token, logit: Math.fround(logit + (at < 0 ? 0 : (tokenBiasValues[at] ?? 0))) };
        });
        const sorted = biased.toSorted((a, b) => b.logit - a.logit).slice(0, temperature && topK ? topK : undefined);
        const highest = sorted[0]?.logit ?? 0;
        const weights = sorted.map(({ logit }) => Math.exp(logit - highest));
        const sum = weights.reduce((a, b) => a + b, 0);
        const flat = sorted.flatMap(({ token }, i) => [token, (weights[i] ?? 0) / sum]);
        return Promise.resolve([sorted[0]?.token ?? -1, probabilities ? flat : undefined, 1 / sum] as const);
      },
    }) as unknown as NativeContext;
  const createSampler = (): NativeSampler => {
    const sampler: NativeSampler & { config?: SamplerConfig } = {
      applyConfig: (config) => void (sampler.config = config),
      dispose: () => undefined,
    };
    return sampler;
  };

  test('equal the softmax of the logits, for the most likely tokens and any other', async () => {
    const logit = fc.double({ min: -25, max: 25, noNaN: true });
    const cases = fc.record({ logits: fc.uniqueArray(logit, { minLength: 4, maxLength: 40 }), pick: fc.nat() });
    await holds(
      fc.asyncProperty(cases, async ({ logits, pick }) => {
        const target = pick % logits.length;
        const highest = Math.max(...logits);
        const logSum = highest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - highest), 0));
        const readers = [1, 2].map(() => new LogprobReader({ context: contextOf(logits), createSampler }));
        const [prediction] = await readAll(readers, [{ logitIndex: 0, target, topCount: 3 }]);
        expect(prediction?.target.token).toBe(target);
        expect(Math.abs((prediction?.target.logprob ?? 0) - ((logits[target] ?? 0) - logSum))).toBeLessThan(1e-4);
        expect(prediction?.top).toHaveLength(3);
        for (const { token, logprob } of prediction?.top ?? []) {
          expect(Math.abs(logprob - ((logits[token] ?? 0) - logSum))).toBeLessThan(1e-4);
        }
      }),
    );
  });
});

describe('stop texts', () => {
  test('cut the text however it is chunked', () => {
    holds(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'ST', 'S', 'TOP', '\n')), (chunks) => {
        const filter = new StopFilter(['STOP', '\n\n']);
        let seen = '';
        let stopped = false;
        for (const chunk of chunks) {
          if (stopped) break;
          const result = filter.push(chunk);
          seen += result.text;
          stopped = result.stopped;
        }
        if (!stopped) seen += filter.end();
        const all = chunks.join('');
        const ends = ['STOP', '\n\n'].map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
        expect(seen).toBe(ends.length > 0 ? all.slice(0, Math.min(...ends)) : all);
      }),
    );
  });
});

describe('mutex', () => {
  test('is granted in the order of the calls, skipping those that were aborted', async () => {
    const mutex = new Mutex();
    const order: string[] = [];
    const aborted = new AbortController();
    const first = await mutex.acquire(new AbortController().signal);
    const second = mutex.acquire(aborted.signal).then(
      () => order.push('second'),
      () => order.push('second aborted'),
    );
    const third = mutex.acquire(new AbortController().signal).then((release) => {
      order.push('third');
      release();
    });
    aborted.abort();
    first();
    await Promise.all([second, third]);
    expect(order).toEqual(['second aborted', 'third']);
  });
});
