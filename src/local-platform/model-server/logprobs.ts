import type { NativeContext, NativeSampler } from './native';

export interface TokenLogprob {
  readonly token: number;
  /** Natural logarithm of its probability. */
  readonly logprob: number;
}

/** The model's opinion at one position: the most likely tokens, best first (at least one), and the token that follows. */
export interface Opinion {
  readonly top: readonly TokenLogprob[];
  readonly target: TokenLogprob;
}

export interface Question {
  readonly logitIndex: number;
  /** Whose probability to tell besides the most likely ones. */
  readonly target: number;
  /** ≥ 1: how many of the most likely tokens to tell. */
  readonly topCount: number;
}

/** Answers in the order of the questions, by all readers at once. */
export async function readAll(readers: readonly LogprobReader[], questions: readonly Question[]): Promise<Opinion[]> {
  const answers: Opinion[] = [];
  const left = questions.entries();
  // The first look at a batch's logits puts them in order: nobody else may look meanwhile.
  const first = left.next();
  if (!first.done && readers[0]) answers[0] = await readers[0].read(first.value[1]);
  await Promise.all(
    readers.map(async (reader) => {
      for (const [i, question] of left) answers[i] = await reader.read(question);
    }),
  );
  return answers;
}

/** Lifts two tokens above all others, so that a truncation to two keeps just these. Float32 logits keep 1e-5 at this height. */
const LIFT = 100;

/**
 * Log probabilities over the whole vocabulary, read from logits by three kinds of sample. Greedy sampling reports its
 * token's probability `p₁` over the whole vocabulary. Any other token's share follows from its ratio to that one, which a
 * truncation to few tokens leaves unchanged: `ln p = ln p₁ + ln(q / q₁)`.
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

  async read({ logitIndex, target, topCount }: Question): Promise<Opinion> {
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
    // A share that underflows stands for less than 1e-37: JSON has no -Infinity.
    return { token: target, logprob: first.logprob + Math.log(Math.max(own, Number.MIN_VALUE) / reference) };
  }

  async #shares(logitIndex: number): Promise<Map<number, number>> {
    const [, flat = []] = await this.#context.sampleToken(logitIndex, this.#truncated, true, false);
    const shares = new Map<number, number>();
    for (let i = 0; i + 1 < flat.length; i += 2) shares.set(flat[i] ?? -1, flat[i + 1] ?? 0);
    return shares;
  }
}
