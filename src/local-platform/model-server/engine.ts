import { availableParallelism } from 'node:os';
import { LogprobReader, readAll, type Opinion } from './logprobs';
import { type LoadedModel, type NativeContext, type NativeSampler } from './native';
import { chooseSlot, type Slot } from './slots';
import { inBatches, SMALLEST_BATCH } from './batches';

/** Sequences that keep earlier prompts, for prompts that begin alike. Two sizes, so that memory stays below 400 MB. */
const SHORT = { sequences: 8, length: 512 };
const LONG_SEQUENCES = 2;
/** Reading probabilities is independent work for each token, which waits for nobody. */
const MOST_READERS = 4;

export interface Sampling {
  /** 0: always the most likely token. */
  readonly temperature: number;
  readonly topP: number;
  /** 0: no truncation. */
  readonly topK: number;
  readonly seed: number;
}

export interface GenerateRequest {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly sampling: Sampling;
  /** Tells log probabilities of generated tokens with this many alternatives; `undefined`: none. */
  readonly logprobs: number | undefined;
  /** Also tells those of the prompt's own tokens (`logprobs` must be set). */
  readonly scorePrompt: boolean;
  readonly signal: AbortSignal;
}

export interface GeneratedToken {
  readonly token: number;
  readonly opinion: Opinion | undefined;
}

interface Pool {
  readonly context: NativeContext;
  readonly slots: Slot[];
  readonly readers: readonly LogprobReader[];
}

interface AppendOptions {
  readonly tokens: readonly number[];
  /** The whole prompt, for the token that follows each. */
  readonly following?: readonly number[];
  /** Ask for opinions after each token, with this many alternatives. */
  readonly topCount?: number | undefined;
  readonly signal: AbortSignal;
}

/** Computes with one model, one request after another. Nothing told depends on what was computed before. */
export class Engine {
  readonly maxLength: number;
  readonly #loaded: LoadedModel;
  readonly #pools = new Map<'short' | 'long', Pool>();
  #clock = 0;

  constructor({ loaded, maxLength }: { loaded: LoadedModel; maxLength: number }) {
    this.#loaded = loaded;
    this.maxLength = maxLength;
  }

  /**
   * Yields the prompt's opinions once (`opinions[i]`: about what follows token `i`; empty unless asked for), then each
   * generated token. Ends after `maxTokens` or with the model's own end token, which is not yielded.
   */
  async *run(request: GenerateRequest): AsyncGenerator<{ prompt: readonly (Opinion | undefined)[] } | GeneratedToken> {
    const { prompt, maxTokens, signal } = request;
    const pool = await this.#pool(prompt.length + maxTokens);
    const topCount = request.scorePrompt ? Math.max(request.logprobs ?? 1, 1) : undefined;
    const { slot, reused } = chooseSlot(pool.slots, prompt, topCount);
    slot.usedAt = ++this.#clock;
    truncate(pool.context, slot, reused);
    const sampler = this.#sampler(request.sampling);
    try {
      let logits = await this.#append(pool, slot, {
        tokens: prompt.slice(reused),
        following: prompt,
        topCount,
        signal,
      });
      yield { prompt: request.scorePrompt ? slot.opinions.slice(0, prompt.length - 1) : [] };
      for (let made = 0; made < maxTokens; made++) {
        signal.throwIfAborted();
        const [token] = await pool.context.sampleToken(logits, sampler, false, false);
        const opinion =
          request.logprobs === undefined
            ? undefined
            : (
                await readAll(pool.readers, [
                  { logitIndex: logits, target: token, topCount: Math.max(request.logprobs, 1) },
                ])
              )[0];
        if (this.#loaded.model.isEogToken(token)) return;
        yield { token, opinion };
        if (made + 1 < maxTokens) logits = await this.#append(pool, slot, { tokens: [token], signal });
      }
    } finally {
      sampler.dispose();
      // Cells of generated tokens were computed one by one, see `SMALLEST_BATCH`: no prompt may build on them.
      truncate(pool.context, slot, prompt.length < SMALLEST_BATCH ? 0 : Math.min(prompt.length, slot.tokens.length));
    }
  }

  /** Computes `tokens` at the slot's end; resolves to the logit index of the last one. */
  async #append(pool: Pool, slot: Slot, options: AppendOptions): Promise<number> {
    const { tokens, following, topCount, signal } = options;
    let last = -1;
    for (const batch of inBatches(tokens)) {
      signal.throwIfAborted();
      const wanted = topCount !== undefined ? [...batch.keys()] : [batch.length - 1];
      const first = slot.tokens.length;
      pool.context.initBatch(batch.length);
      const logits = pool.context.addToBatch(slot.sequence, first, Uint32Array.from(batch), Uint32Array.from(wanted));
      await decode(pool.context, slot, batch);
      last = logits.at(-1) ?? -1;
      if (topCount === undefined) continue;
      const questions = [...logits].flatMap((logitIndex, i) => {
        const target = following?.[first + i + 1];
        return target === undefined ? [] : [{ logitIndex, target, topCount }];
      });
      for (const [i, opinion] of (await readAll(pool.readers, questions)).entries()) slot.opinions[first + i] = opinion;
    }
    return last;
  }

  #sampler({ temperature, topP, topK, seed }: Sampling): NativeSampler {
    const sampler = this.#loaded.createSampler();
    // Left out where they would keep everything: the binding sorts the vocabulary for each of them.
    const truncation = { ...(topK > 0 ? { topK } : {}), ...(topP < 1 ? { topP } : {}) };
    sampler.applyConfig(temperature > 0 ? { temperature, seed, ...truncation } : {});
    return sampler;
  }

  async #pool(length: number): Promise<Pool> {
    const kind = length <= Math.min(SHORT.length, this.maxLength) ? 'short' : 'long';
    const existing = this.#pools.get(kind);
    if (existing) return existing;
    const size = kind === 'short' ? SHORT : { sequences: LONG_SEQUENCES, length: this.maxLength };
    const context = await this.#loaded.createContext(size);
    const slots = Array.from({ length: size.sequences }, (_, sequence) => ({
      sequence,
      tokens: [],
      opinions: [],
      usedAt: 0,
    }));
    const createSampler = (): NativeSampler => this.#loaded.createSampler();
    const pool = {
      context,
      slots,
      readers: Array.from(
        { length: Math.min(availableParallelism(), MOST_READERS) },
        () => new LogprobReader({ context, createSampler }),
      ),
    };
    this.#pools.set(kind, pool);
    return pool;
  }
}

function truncate(context: NativeContext, slot: Slot, length: number): void {
  context.removeTokenCellsFromSequence(slot.sequence, length, -1);
  slot.tokens.length = length;
  slot.opinions.length = length;
}

async function decode(context: NativeContext, slot: Slot, batch: readonly number[]): Promise<void> {
  try {
    await context.decodeBatch();
  } catch (error) {
    truncate(context, slot, 0);
    throw error;
  }
  slot.tokens.push(...batch);
}
