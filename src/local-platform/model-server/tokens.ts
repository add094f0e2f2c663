import type { LlamaModel } from './native';

/** Text to token ids as the model's own tokenizer does it: special tokens are recognised, and its begin token is put in front if it wants one. */
export function encode(model: LlamaModel, text: string, addSpecialTokens = true): number[] {
  const tokens = model.tokenize(text, true);
  const { bos, shouldPrependBosToken } = model.tokens;
  if (addSpecialTokens && shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos);
  return tokens;
}

/** The first id that the vocabulary does not have; `undefined` when all are known. */
export function unknownToken(model: LlamaModel, tokens: readonly number[]): number | undefined {
  const size = model.fileInfo.metadata?.tokenizer?.ggml?.tokens?.length ?? Infinity;
  return tokens.find((token) => token >= size);
}
