import type { LlamaModel } from './native';

/** U+FFFD: what detokenisation makes of bytes that are no complete character. */
const INCOMPLETE = '\uFFFD';
/** A character has at most 4 bytes, so that many tokens can share one. */
const MOST_TOKENS_PER_CHARACTER = 4;

/** Text of one token; `token_id:N`, as vLLM has it, for one that is only a part of a character. */
export function tokenText(model: LlamaModel, token: number): string {
  const text = model.detokenize([token], true);
  return text.includes(INCOMPLETE) ? `token_id:${token}` : text;
}

/** Text as it grows by a token at a time, told only in whole characters. */
export class TextStream {
  readonly #model: LlamaModel;
  #pending: number[] = [];

  constructor(model: LlamaModel) {
    this.#model = model;
  }

  /** The text that `token` completes; empty while a character is incomplete. */
  push(token: number): string {
    this.#pending.push(token);
    const text = this.#model.detokenize(this.#pending, true);
    if (text.endsWith(INCOMPLETE) && this.#pending.length < MOST_TOKENS_PER_CHARACTER) return '';
    this.#pending = [];
    return text;
  }

  /** What is left at the end. */
  end(): string {
    const text = this.#model.detokenize(this.#pending, true);
    this.#pending = [];
    return text;
  }
}

/** Cuts generated text at the first stop text. Holds back what may be the beginning of one. */
export class StopFilter {
  readonly #stops: readonly string[];
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter(Boolean);
  }

  push(text: string): { text: string; stopped: boolean } {
    const all = this.#held + text;
    const at = Math.min(...this.#stops.map((stop) => all.indexOf(stop)).filter((index) => index >= 0));
    if (Number.isFinite(at)) {
      this.#held = '';
      return { text: all.slice(0, at), stopped: true };
    }
    const safe = all.length - this.#heldLength(all);
    this.#held = all.slice(safe);
    return { text: all.slice(0, safe), stopped: false };
  }

  end(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  #heldLength(text: string): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      if (this.#stops.some((stop) => stop.startsWith(text.slice(-length)))) return length;
    }
    return 0;
  }
}
