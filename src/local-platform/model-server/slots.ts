import { MIN_BATCH_SIZE } from './batches';
import type { Prediction } from './logprobs';

/** A sequence of a context and its content: tokens and, where they were read, the predictions after them. */
export interface Slot {
  readonly sequence: number;
  tokens: number[];
  /** `predictions[i]` is the prediction after `tokens[i]`; `undefined` where it was not read. */
  predictions: (Prediction | undefined)[];
  /** A counter: larger means used more recently. */
  usedAt: number;
}

/**
 * A slot is reused if a prompt shares at least this part of its content; else the least recently used slot is
 * overwritten.
 */
const MIN_SHARED_PART = 0.5;

/**
 * Returns how many leading tokens need no computation in this slot. The last `MIN_BATCH_SIZE` tokens never count,
 * because the logits of the last are needed. With `topCount`, reuse ends at the first position whose prediction is
 * missing, has fewer alternatives, or is about another following token. Pure.
 */
export function reusablePrefix(slot: Slot, tokens: readonly number[], topCount: number | undefined): number {
  const limit = Math.min(slot.tokens.length, tokens.length - MIN_BATCH_SIZE);
  for (let i = 0; i < limit; i++) {
    if (slot.tokens[i] !== tokens[i]) return i;
    if (topCount === undefined) continue;
    const prediction = slot.predictions[i];
    if (!prediction || prediction.top.length < topCount || prediction.target.token !== tokens[i + 1]) return i;
  }
  return Math.max(limit, 0);
}

/** Chooses the slot to compute in, and how many of its tokens to reuse. Pure. */
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
  if (best.reused > 0 && best.reused >= best.slot.tokens.length ** MIN_SHARED_PART) return best;
  return { slot: oldest, reused: reusablePrefix(oldest, tokens, topCount) };
}
