import type { LlamaModel } from './native';

/**
 * Tokenizes text as the model's own tokenizer does: recognises special tokens, and prepends the begin token if the
 * model expects it.
 */
export function encode(model: LlamaModel, text: string, addSpecialTokens = true): number[] {
  const tokens = model.tokenize(text, true);
  const { bos, shouldPrependBosToken } = model.tokens;
  if (addSpecialTokens && shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos);
  return tokens;
}

/** Returns the first id that the vocabulary does not have; `undefined` if all are known. */
export function unknownToken(model: LlamaModel, tokens: readonly number[]): number | undefined {
  const size = model.fileInfo.metadata?.tokenizer?.ggml?.tokens?.length ?? Infinity;
  return tokens.find((token) => token >= size);
}
