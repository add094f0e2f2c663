/** A misspelt key is reported as one problem, without the problems that only follow from it. */
import type { ConfigProblem } from '../yaml/problems';
import { dotted, isMissing, isNull, nodeAt, withNodeAt, withoutNodeAt } from '../yaml/tree';
import type { ConfigNode, MapNode, Path } from '../yaml/tree';

/** A key that the config does not have, and the keys that were probably meant. */
export interface MisspeltKey {
  /** The path as written. */
  readonly written: Path;
  /** Paths that may be meant, nearest first; empty if none is similar. */
  readonly candidates: readonly Path[];
  /** The value of an override that could not be applied, which the tree therefore does not contain. */
  readonly value?: ConfigNode;
  /** Of an override: the key that the config does not have, and the value for it. */
  readonly absent?: { readonly path: Path; readonly value: ConfigNode };
}

/**
 * Returns the tree as it was probably meant: the value of a misspelt key fills the key meant where that is unset. Values that
 * were written are never replaced. Pure.
 */
export function withCorrectedKeys(root: ConfigNode, misspeltKeys: readonly MisspeltKey[]): ConfigNode {
  return misspeltKeys.reduce((tree, { written, candidates, value = nodeAt(tree, written) }) => {
    const target = candidates.find((path) => canTake(nodeAt(tree, path), value));
    if (value === undefined || target === undefined) return tree;
    return withNodeAt(withoutNodeAt(tree, written), target, filledIn(nodeAt(tree, target), value));
  }, root);
}

/** Returns the problems about the misspelt keys themselves, and those that remain once the keys are corrected. Pure. */
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

/** Whether the value fits without replacing anything. */
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
