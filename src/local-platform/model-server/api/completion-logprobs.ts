import type { Opinion } from '../logprobs';
import type { LlamaModel } from '../native';
import { TextStream, tokenText } from '../text';

/** `logprobs` of a legacy completion. The first token of a text has no predecessor: its entries are null. */
export interface CompletionLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
}

/** A token, and what the model held of it before seeing it: `undefined` for a text's first. */
export interface JudgedToken {
  readonly token: number;
  readonly opinion: Opinion | undefined;
}

/** The logprobs of a text that is told in one piece or in many: offsets go on from piece to piece. */
export class CompletionLogprobWriter {
  readonly #model: LlamaModel;
  readonly #count: number;
  readonly #stream: TextStream;
  #offset = 0;

  constructor({ model, count }: { model: LlamaModel; count: number }) {
    this.#model = model;
    this.#count = count;
    this.#stream = new TextStream(model);
  }

  next(tokens: readonly JudgedToken[]): CompletionLogprobs {
    const result: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    for (const { token, opinion } of tokens) {
      result.tokens.push(tokenText(this.#model, token));
      result.token_logprobs.push(opinion?.target.logprob ?? null);
      result.top_logprobs.push(opinion ? topLogprobs(this.#model, opinion, this.#count) : null);
      result.text_offset.push(this.#offset);
      this.#offset += this.#stream.push(token).length;
    }
    return result;
  }
}

/** The `count` best, and the token itself where it is none of them. */
function topLogprobs(model: LlamaModel, { top, target }: Opinion, count: number): Record<string, number> {
  const entries = top.slice(0, count);
  const all = !entries.some(({ token }) => token === target.token) ? [...entries, target] : entries;
  return Object.fromEntries(all.map(({ token, logprob }) => [tokenText(model, token), logprob]));
}
