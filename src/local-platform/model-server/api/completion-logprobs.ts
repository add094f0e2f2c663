import type { Prediction } from '../logprobs';
import type { LlamaModel } from '../native';
import { TextStream, tokenText } from '../text';

/** `logprobs` of a legacy completion. The first token of a text has no predecessor, so its entries are null. */
export interface CompletionLogprobs {
  readonly tokens: string[];
  readonly token_logprobs: (number | null)[];
  readonly top_logprobs: (Record<string, number> | null)[];
  readonly text_offset: number[];
}

/** A token and the prediction that the model made for its position; `undefined` for the first token of a text. */
export interface ScoredToken {
  readonly token: number;
  readonly prediction: Prediction | undefined;
}

/** Formats the logprobs of a text that is sent in one or more chunks. Offsets continue from chunk to chunk. */
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

  next(tokens: readonly ScoredToken[]): CompletionLogprobs {
    const result: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    for (const { token, prediction } of tokens) {
      result.tokens.push(tokenText(this.#model, token));
      result.token_logprobs.push(prediction?.target.logprob ?? null);
      result.top_logprobs.push(prediction ? topLogprobs(this.#model, prediction, this.#count) : null);
      result.text_offset.push(this.#offset);
      this.#offset += this.#stream.push(token).length;
    }
    return result;
  }
}

/** Returns the `count` most likely tokens, and the token itself if it is not among them. */
function topLogprobs(model: LlamaModel, { top, target }: Prediction, count: number): Record<string, number> {
  const entries = top.slice(0, count);
  const all = !entries.some(({ token }) => token === target.token) ? [...entries, target] : entries;
  return Object.fromEntries(all.map(({ token, logprob }) => [tokenText(model, token), logprob]));
}
