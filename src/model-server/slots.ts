import type { Opinion } from './logprobs';

/** One sequence of a context, with what it holds: tokens, and the model's opinion after each, where it was asked for. */
export interface Slot {
  readonly sequence: number;
  tokens: number[];
  /** `opinions[i]`: after `tokens[i]`. Holes where only the state was computed. */
  opinions: (Opinion | undefined)[];
  /** Larger: used later. */
  usedAt: number;
}

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

/** Kept when a prompt shares at least this part of what a slot holds; else the slot longest unused is overwritten. */
const WORTH_KEEPING = 0.5;

/**
 * How many leading tokens of `tokens` need no computation in this slot. The last tokens never count, as the logits
 * of the last are needed; with `topCount`, neither does any from the first position on whose opinion is missing, shorter, or about
 * another following token.
 */
export function reusablePrefix(slot: Slot, tokens: readonly number[], topCount: number | undefined): number {
  const limit = Math.min(slot.tokens.length, tokens.length - SMALLEST_BATCH);
  for (let i = 0; i < limit; i++) {
    if (slot.tokens[i] !== tokens[i]) return i;
    if (topCount === undefined) continue;
    const opinion = slot.opinions[i];
    if (!opinion || opinion.top.length < topCount || opinion.target.token !== tokens[i + 1]) return i;
  }
  return Math.max(limit, 0);
}

/** The slot to compute in, and how much of it can stay. */
export function chooseSlot(
  slots: readonly Slot[],
  tokens: readonly number[],
  topCount: number | undefined,
): { slot: Slot; reused: number } {
  let best: { slot: Slot; reused: number } | undefined;
  let oldest: Slot | undefined;
  for (const slot of slots) {
    const reused = reusablePrefix(slot, tokens, topCount);
    if (!best || reused > best.reused) best = { slot, reused };
    if (!oldest || slot.usedAt < oldest.usedAt) oldest = slot;
  }
  if (!best || !oldest) throw new Error('A context has no sequences.');
  if (best.reused > 0 && best.reused >= best.slot.tokens.length * WORTH_KEEPING) return best;
  return { slot: oldest, reused: reusablePrefix(oldest, tokens, topCount) };
}
