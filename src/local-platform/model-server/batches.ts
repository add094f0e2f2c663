/** Tokens decoded at once. Not more, as logits for each of them are kept: 128 × 49 152 × 4 bytes = 25 MB. */
export const BATCH_SIZE = 128;
/**
 * A single token is computed by other kernels than several at once, with results that differ in the third digit. Prompts
 * are therefore never computed by one token, wherever reuse or a batch's size would come to that; then it makes no
 * difference how a prompt was split.
 */
export const SMALLEST_BATCH = 2;

/** Splits into batches of at most `BATCH_SIZE`, none of them a single token unless that is all there is. */
export function inBatches(tokens: readonly number[]): readonly (readonly number[])[] {
  const batches: (readonly number[])[] = [];
  for (let start = 0; start < tokens.length;) {
    const left = tokens.length - start;
    const orphan = left - BATCH_SIZE > 0 && left - BATCH_SIZE < SMALLEST_BATCH;
    const size = Math.min(left, orphan ? BATCH_SIZE - 1 : BATCH_SIZE);
    batches.push(tokens.slice(start, start + size));
    start += size;
  }
  return batches;
}
