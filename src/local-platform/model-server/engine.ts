import { availableParallelism } from 'node:os';
import { LogprobReader, readAll, type Prediction } from './logprobs';
import { type LoadedModel, type NativeContext, type NativeSampler } from './native';
import { chooseSlot, type Slot } from './slots';
import { splitIntoBatches, MIN_BATCH_SIZE } from './batches';

/** Sequences that keep earlier prompts, for prompts with a common prefix. Two sizes keep memory below 400 MB. */
const SHORT = { sequences: 8, length: 512 };
const LONG_SEQUENCES = 2;
/** Upper limit of parallel readers; reading probabilities is independent work for each token. */
const MAX_READERS = 4;

export interface Sampling {
  /** 0 selects the most likely token. */
  readonly temperature: number;
  readonly topP: number;
  /** 0 means no truncation. */
  readonly topK: number;
  readonly seed: number;
}

export interface GenerateRequest {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly sampling: Sampling;
  /** Report log probabilities of generated tokens with this many alternatives; `undefined` for none. */
  readonly logprobs: number | undefined;
  /** Also report those of the prompt's tokens (`logprobs` must be set). */
  readonly scorePrompt: boolean;
  readonly signal: AbortSignal;
}

export interface GeneratedToken {
  readonly token: number;
  readonly prediction: Prediction | undefined;
}

interface Pool {
  readonly context: NativeContext;
  readonly slots: Slot[];
  readonly readers: readonly LogprobReader[];
}

interface AppendOptions {
  readonly tokens: readonly number[];
  /** The whole prompt, to find the token that follows each. */
  readonly following?: readonly number[];
  /** Read the prediction after each token, with this many alternatives. */
  readonly topCount?: number | undefined;
  readonly signal: AbortSignal;
}

/** Runs one model, one request after another. Results do not depend on earlier requests. */
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
   * Yields the prompt's predictions once (`predictions[i]` is of what follows token `i`; empty unless requested), then
   * each generated token. Ends after `maxTokens` or at the model's end token, which is not yielded.
   */
  async *run(
    request: GenerateRequest,
  ): AsyncGenerator<{ prompt: readonly (Prediction | undefined)[] } | GeneratedToken> {
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
      yield { prompt: request.scorePrompt ? slot.predictions.slice(0, prompt.length - 1) : [] };
      for (let count = 0; count < maxTokens; count++) {
        signal.throwIfAborted();
        const [token] = await pool.context.sampleToken(logits, sampler, false, false);
        const prediction =
          request.logprobs === undefined
            ? undefined
            : (
                await readAll(pool.readers, [
                  { logitIndex: logits, target: token, topCount: Math.max(request.logprobs, 1) },
                ])
              )[0];
        if (this.#loaded.model.isEogToken(token)) return;
        yield { token, prediction };
        if (count + 1 < maxTokens) logits = await this.#append(pool, slot, { tokens: [token], signal });
      }
    } finally {
      sampler.dispose();
      // No prompt may reuse cells of generated tokens: they were computed one by one, see `MIN_BATCH_SIZE`.
      truncate(pool.context, slot, prompt.length < MIN_BATCH_SIZE ? 0 : Math.min(prompt.length, slot.tokens.length));
    }
  }

  /** Computes `tokens` at the end of the slot; resolves to the logit index of the last one. */
  async #append(pool: Pool, slot: Slot, options: AppendOptions): Promise<number> {
    const { tokens, following, topCount, signal } = options;
    let last = -1;
    for (const batch of splitIntoBatches(tokens)) {
      signal.throwIfAborted();
      const positions = topCount !== undefined ? [...batch.keys()] : [batch.length - 1];
      const first = slot.tokens.length;
      pool.context.initBatch(batch.length);
      const logits = pool.context.addToBatch(
        slot.sequence,
        first,
        Uint32Array.from(batch),
        Uint32Array.from(positions),
      );
      await decode(pool.context, slot, batch);
      last = logits.at(-1) ?? -1;
      if (topCount === undefined) continue;
      const queries = [...logits].flatMap((logitIndex, i) => {
        const target = following?.[first + i + 1];
        return target === undefined ? [] : [{ logitIndex, target, topCount }];
      });
      for (const [i, prediction] of (await readAll(pool.readers, queries)).entries())
        slot.predictions[first + i] = prediction;
    }
    return last;
  }

  #sampler({ temperature, topP, topK, seed }: Sampling): NativeSampler {
    const sampler = this.#loaded.createSampler();
    // Omitted where they would keep everything, because the binding sorts the vocabulary for each of them.
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
      predictions: [],
      usedAt: 0,
    }));
    const createSampler = (): NativeSampler => this.#loaded.createSampler();
    const pool = {
      context,
      slots,
      readers: Array.from(
        { length: Math.min(availableParallelism(), MAX_READERS) },
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
  slot.predictions.length = length;
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
