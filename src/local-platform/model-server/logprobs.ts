import type { NativeContext, NativeSampler } from './native';

export interface TokenLogprob {
  readonly token: number;
  /** Natural logarithm of its probability. */
  readonly logprob: number;
}

/**
 * The model's prediction at one position: the most likely tokens, best first (at least one), and the token that
 * follows.
 */
export interface Prediction {
  readonly top: readonly TokenLogprob[];
  readonly target: TokenLogprob;
}

export interface LogprobQuery {
  readonly logitIndex: number;
  /** Token whose probability to read besides those of the most likely tokens. */
  readonly target: number;
  /** How many of the most likely tokens to read, at least 1. */
  readonly topCount: number;
}

/** Reads all queries in parallel; results are in the order of the queries. */
export async function readAll(
  readers: readonly LogprobReader[],
  queries: readonly LogprobQuery[],
): Promise<Prediction[]> {
  const predictions: Prediction[] = [];
  const remaining = queries.entries();
  // The first read of a batch's logits reorders them: it must not run in parallel with others.
  const first = remaining.next();
  if (!first.done && readers[0]) predictions[0] = await readers[0].read(first.value[1]);
  await Promise.all(
    readers.map(async (reader) => {
      for (const [i, query] of remaining) predictions[i] = await reader.read(query);
    }),
  );
  return predictions;
}

/**
 * Bias that lifts two tokens above all others, so that a truncation to two keeps just these. Float32 logits keep a
 * precision of 1e-5 there.
 */
const LIFT = 100;

/**
 * Reads log probabilities over the whole vocabulary by sampling. Greedy sampling reports its token's probability `p₁`
 * over the whole vocabulary. Any other token's probability follows from its ratio to that one, which truncation to a
 * few tokens leaves unchanged: `ln p = ln p₁ + ln(q / q₁)`.
 */
export class LogprobReader {
  readonly #context: NativeContext;
  readonly #greedy: NativeSampler;
  readonly #truncated: NativeSampler;

  constructor({ context, createSampler }: { context: NativeContext; createSampler: () => NativeSampler }) {
    this.#context = context;
    this.#greedy = createSampler();
    this.#greedy.applyConfig({});
    this.#truncated = createSampler();
  }

  async read({ logitIndex, target, topCount }: LogprobQuery): Promise<Prediction> {
    const [best, , confidence] = await this.#context.sampleToken(logitIndex, this.#greedy, false, true);
    if (confidence === undefined || best < 0) throw new Error('The model produced no probabilities for a token.');
    const first = { token: best, logprob: Math.log(confidence) };
    const top = topCount > 1 ? await this.#top(logitIndex, first, topCount) : [first];
    const known = top.find(({ token }) => token === target);
    return { top, target: known ?? (await this.#relativeTo(logitIndex, first, target)) };
  }

  async #top(logitIndex: number, first: TokenLogprob, count: number): Promise<TokenLogprob[]> {
    this.#truncated.applyConfig({ temperature: 1, topK: count, seed: 0 });
    const pairs = await this.#shares(logitIndex);
    const reference = pairs.get(first.token) ?? Math.max(...pairs.values());
    return [...pairs].map(([token, share]) => ({ token, logprob: first.logprob + Math.log(share / reference) }));
  }

  async #relativeTo(logitIndex: number, first: TokenLogprob, target: number): Promise<TokenLogprob> {
    this.#truncated.applyConfig({
      temperature: 1,
      topK: 2,
      seed: 0,
      tokenBiasKeys: Uint32Array.of(first.token, target),
      tokenBiasValues: Float32Array.of(LIFT, LIFT),
    });
    const shares = await this.#shares(logitIndex);
    const [own, reference] = [shares.get(target), shares.get(first.token)];
    if (own === undefined || reference === undefined)
      throw new Error('The model produced no probability for a prompt token.');
    // A share that underflows becomes a very small number, because JSON has no -Infinity.
    return { token: target, logprob: first.logprob + Math.log(Math.max(own, Number.MIN_VALUE) / reference) };
  }

  async #shares(logitIndex: number): Promise<Map<number, number>> {
    const [, flat = []] = await this.#context.sampleToken(logitIndex, this.#truncated, true, false);
    const shares = new Map<number, number>();
    for (let i = 0; i + 1 < flat.length; i += 2) shares.set(flat[i] ?? -1, flat[i + 1] ?? 0);
    return shares;
  }
}
