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

/** `opinions[i]` is what the model held of token `i` before seeing it, `undefined` for a text's first. */
export function completionLogprobs(options: {
  model: LlamaModel;
  tokens: readonly number[];
  opinions: readonly (Opinion | undefined)[];
  count: number;
}): CompletionLogprobs {
  const { model, tokens, opinions, count } = options;
  const stream = new TextStream(model);
  const result: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
  let offset = 0;
  for (const [i, token] of tokens.entries()) {
    const opinion = opinions[i];
    result.tokens.push(tokenText(model, token));
    result.token_logprobs.push(opinion?.target.logprob ?? null);
    result.top_logprobs.push(opinion ? topLogprobs(model, opinion, count) : null);
    result.text_offset.push(offset);
    offset += stream.push(token).length;
  }
  return result;
}

/** The `count` best, and the token itself where it is none of them. */
function topLogprobs(model: LlamaModel, { top, target }: Opinion, count: number): Record<string, number> {
  const entries = top.slice(0, count);
  const all = !entries.some(({ token }) => token === target.token) ? [...entries, target] : entries;
  return Object.fromEntries(all.map(({ token, logprob }) => [tokenText(model, token), logprob]));
}
