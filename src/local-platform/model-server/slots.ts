import { SMALLEST_BATCH } from './batches';
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
