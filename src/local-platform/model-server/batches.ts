/** Tokens decoded at once. Limited because the logits of each are kept: 128 × 49 152 × 4 bytes = 25 MB. */
export const BATCH_SIZE = 128;
/**
 * A single token is computed by different kernels than several at once, with results that differ in the third digit.
 * Neither reuse nor batching may therefore leave a single token of a prompt to compute. Then the result does not depend
 * on how a prompt was split.
 */
export const MIN_BATCH_SIZE = 2;

/** Splits tokens into batches of at most `BATCH_SIZE`, none of them a single token unless there is only one. Pure. */
export function splitIntoBatches(tokens: readonly number[]): readonly (readonly number[])[] {
  const batches: (readonly number[])[] = [];
  for (let start = 0; start < tokens.length;) {
    const left = tokens.length - start;
    const orphan = left - BATCH_SIZE > 0 && left - BATCH_SIZE < MIN_BATCH_SIZE;
    const size = Math.min(left, orphan ? BATCH_SIZE - 1 : BATCH_SIZE);
    batches.push(tokens.slice(start, start + size));
    start += size;
  }
  return batches;
}
