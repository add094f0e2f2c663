/** One slip is one problem: what only follows from a misspelt key is not said beside it. */
import type { ConfigProblem } from '../yaml/problems';
import { dotted, isMissing, isNull, nodeAt, withNodeAt, withoutNodeAt } from '../yaml/tree';
import type { ConfigNode, MapNode, Path } from '../yaml/tree';

/** A key that the config does not know, and what it plausibly was to be. */
export interface MisspeltKey {
  /** As it was written. */
  readonly written: Path;
  /** Nearest first; empty when nothing is near. */
  readonly candidates: readonly Path[];
  /** What was to stand there, where the tree does not have it: an override that could not be applied. */
  readonly value?: ConfigNode;
  /** Of an override: the key that is not there, and what was to stand at it. */
  readonly absent?: { readonly path: Path; readonly value: ConfigNode };
}

/**
 * The tree as it was plausibly candidates: what stands under a misspelt key fills what is absent under the right one. Nothing that
 * was written there is replaced. Pure.
 */
export function withCorrectedKeys(root: ConfigNode, misspeltKeys: readonly MisspeltKey[]): ConfigNode {
  return misspeltKeys.reduce((tree, { written, candidates, value = nodeAt(tree, written) }) => {
    const target = candidates.find((path) => canTake(nodeAt(tree, path), value));
    if (value === undefined || target === undefined) return tree;
    return withNodeAt(withoutNodeAt(tree, written), target, filledIn(nodeAt(tree, target), value));
  }, root);
}

/** Those of `found` that stay when the misspeltKeys are corrected, and what is said of the misspeltKeys themselves. Pure. */
export function withoutConsequences(
  found: readonly ConfigProblem[],
  {
    misspeltKeys,
    corrected,
  }: { readonly misspeltKeys: readonly MisspeltKey[]; readonly corrected: readonly ConfigProblem[] },
): readonly ConfigProblem[] {
  if (misspeltKeys.length === 0) return found;
  const own = new Set(misspeltKeys.map(({ written }) => dotted(written)));
  const stays = new Set(corrected.map(keyOf));
  return found.filter((problem) => own.has(problem.path) || stays.has(keyOf(problem)));
}

const keyOf = ({ path, message }: ConfigProblem): string => `${path}\0${message}`;

/** Nothing stands there that would have to give way. */
const canTake = (existing: ConfigNode | undefined, value: ConfigNode | undefined): boolean =>
  isUnset(existing) || (existing?.kind === 'map' && value?.kind === 'map');

const isUnset = (node: ConfigNode | undefined): boolean => node === undefined || isMissing(node) || isNull(node);

function filledIn(existing: ConfigNode | undefined, value: ConfigNode): ConfigNode {
  if (existing === undefined || isUnset(existing)) return value;
  if (existing.kind !== 'map' || value.kind !== 'map') return existing;
  const entries = new Map(existing.entries);
  for (const [key, child] of value.entries) entries.set(key, filledIn(entries.get(key), child));
  return { ...existing, entries } satisfies MapNode;
}
