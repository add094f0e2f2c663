import type { ItemTable } from './item-table';

/** Which item of the base is the same sample as which of the candidate. Pure. */

export interface Pairs {
  /** Items, one beside the other. */
  readonly base: Uint32Array;
  readonly candidate: Uint32Array;
  readonly onlyBase: number;
  readonly onlyCandidate: number;
  /** Of the pairs: by the sample's number, because there is no hash of its content or because they differ. */
  readonly byNumber: number;
  /** Samples with the same number but another target: they are not the same, and not paired. */
  readonly otherTarget: number;
  /** Of the pairs: with another prompt; `null`: prompts are not logged. */
  readonly otherPrompt: number | null;
}

export function pairItems(base: ItemTable, candidate: ItemTable): Pairs {
  const matched: [base: number, candidate: number][] = [];
  const unmatched: number[] = [];
  const taken = new Uint8Array(candidate.size);
  let byNumber = 0;
  let otherTarget = 0;
  const pair = (one: number, other: number): void => {
    matched.push([one, other]);
    taken[other] = 1;
  };
  for (const [key, at] of base.keys()) {
    const same = candidate.itemAt(key);
    if (same === undefined) unmatched.push(at);
    else if (base.hashed[at]) pair(at, same);
    else if (haveOtherTargets(base, at, candidate, same)) otherTarget += 1;
    else {
      pair(at, same);
      byNumber += 1;
    }
  }
  const left = leftByNumber(candidate, taken);
  for (const at of unmatched) {
    const id = base.ids[at];
    const same = id === null || id === undefined ? undefined : left.get(id);
    if (same === undefined) continue;
    const target = base.targets[at];
    if (target === null || target === undefined || target !== candidate.targets[same]) {
      otherTarget += 1;
      continue;
    }
    pair(at, same);
    left.delete(id ?? '');
    byNumber += 1;
  }
  return {
    base: Uint32Array.from(matched, ([one]) => one),
    candidate: Uint32Array.from(matched, ([, other]) => other),
    onlyBase: base.size - matched.length,
    onlyCandidate: candidate.size - matched.length,
    byNumber,
    otherTarget,
    otherPrompt: promptsThatDiffer(base, candidate, matched),
  };
}

function haveOtherTargets(base: ItemTable, at: number, candidate: ItemTable, same: number): boolean {
  const one = base.targets[at];
  const other = candidate.targets[same];
  return typeof one === 'string' && typeof other === 'string' && one !== other;
}

function leftByNumber(candidate: ItemTable, taken: Uint8Array): Map<string, number> {
  const left = new Map<string, number>();
  for (const [at, id] of candidate.ids.entries()) if (id !== null && taken[at] === 0) left.set(id, at);
  return left;
}

function promptsThatDiffer(
  base: ItemTable,
  candidate: ItemTable,
  matched: readonly (readonly [number, number])[],
): number | null {
  const known = matched.filter(([one, other]) => base.prompts[one] !== null && candidate.prompts[other] !== null);
  if (known.length === 0) return null;
  return known.filter(([one, other]) => base.prompts[one] !== candidate.prompts[other]).length;
}
