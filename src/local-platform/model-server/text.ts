import type { LlamaModel } from './native';

/** U+FFFD, which detokenization puts for bytes that are not a complete character. */
const INCOMPLETE = '\uFFFD';
/** A character has at most 4 bytes, so at most 4 tokens can share one. */
const MAX_TOKENS_PER_CHARACTER = 4;

/** Returns the text of a token; for a part of a character `token_id:N`, as vLLM does. */
export function tokenText(model: LlamaModel, token: number): string {
  const text = model.detokenize([token], true);
  return text.includes(INCOMPLETE) ? `token_id:${token}` : text;
}

/** Decodes tokens one by one to text that consists of whole characters. */
export class TextStream {
  readonly #model: LlamaModel;
  #pending: number[] = [];

  constructor(model: LlamaModel) {
    this.#model = model;
  }

  /** Returns the text that `token` completes; empty while a character is incomplete. */
  push(token: number): string {
    this.#pending.push(token);
    const text = this.#model.detokenize(this.#pending, true);
    if (text.endsWith(INCOMPLETE) && this.#pending.length < MAX_TOKENS_PER_CHARACTER) return '';
    this.#pending = [];
    return text;
  }

  /** Returns the remaining text at the end. */
  end(): string {
    const text = this.#model.detokenize(this.#pending, true);
    this.#pending = [];
    return text;
  }
}

/** Cuts generated text at the first stop text. Holds back text that may be the beginning of one. */
export class StopFilter {
  readonly #stops: readonly string[];
  #pending = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter(Boolean);
  }

  push(text: string): { text: string; stopped: boolean } {
    const all = this.#pending + text;
    const at = Math.min(...this.#stops.map((stop) => all.indexOf(stop)).filter((index) => index >= 0));
    if (Number.isFinite(at)) {
      this.#pending = '';
      return { text: all.slice(0, at), stopped: true };
    }
    const safe = all.length - this.#pendingLength(all);
    this.#pending = all.slice(safe);
    return { text: all.slice(0, safe), stopped: false };
  }

  end(): string {
    const pending = this.#pending;
    this.#pending = '';
    return pending;
  }

  #pendingLength(text: string): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      if (this.#stops.some((stop) => stop.startsWith(text.slice(-length)))) return length;
    }
    return 0;
  }
}
