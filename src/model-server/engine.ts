import { LogprobReader, type Opinion } from './logprobs';
import { BATCH_SIZE, type LoadedModel, type NativeContext, type NativeSampler } from './native';
import { chooseSlot, type Slot } from './slots';

/** Sequences that keep earlier prompts, for prompts that begin alike. Two sizes, so that memory stays below 400 MB. */
const SHORT = { sequences: 12, length: 512 };
const LONG_SEQUENCES = 2;

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
  readonly reader: LogprobReader;
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
    let logits = await this.#append(pool, slot, { tokens: prompt.slice(reused), following: prompt, topCount, signal });
    yield { prompt: request.scorePrompt ? slot.opinions.slice(0, prompt.length - 1) : [] };
    const sampler = this.#sampler(request.sampling);
    try {
      for (let made = 0; made < maxTokens; made++) {
        signal.throwIfAborted();
        const [token] = await pool.context.sampleToken(logits, sampler, false, false);
        const opinion =
          request.logprobs === undefined
            ? undefined
            : await pool.reader.read(logits, { target: token, topCount: Math.max(request.logprobs, 1) });
        if (this.#loaded.model.isEogToken(token)) return;
        yield { token, opinion };
        if (made + 1 < maxTokens) logits = await this.#append(pool, slot, { tokens: [token], signal });
      }
    } finally {
      sampler.dispose();
    }
  }

  /** Computes `tokens` at the slot's end; resolves to the logit index of the last one. */
  async #append(
    pool: Pool,
    slot: Slot,
    options: {
      tokens: readonly number[];
      following?: readonly number[];
      topCount?: number | undefined;
      signal: AbortSignal;
    },
  ): Promise<number> {
    const { tokens, following, topCount, signal } = options;
    let last = -1;
    for (let start = 0; start < tokens.length; start += BATCH_SIZE) {
      signal.throwIfAborted();
      const batch = tokens.slice(start, start + BATCH_SIZE);
      const ends = start + batch.length === tokens.length;
      const wanted = topCount !== undefined ? [...batch.keys()] : ends ? [batch.length - 1] : [];
      const position = slot.tokens.length;
      pool.context.initBatch(batch.length);
      const logits = pool.context.addToBatch(
        slot.sequence,
        position,
        Uint32Array.from(batch),
        Uint32Array.from(wanted),
      );
      await decode(pool.context, slot, batch);
      last = logits.at(-1) ?? -1;
      if (topCount === undefined) continue;
      for (const [i, index] of logits.entries()) {
        const target = following?.[position + i + 1];
        if (target !== undefined) slot.opinions[position + i] = await pool.reader.read(index, { target, topCount });
      }
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
    const pool = {
      context,
      slots,
      reader: new LogprobReader({ context, createSampler: () => this.#loaded.createSampler() }),
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
