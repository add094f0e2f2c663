/** Moves keys of `evaluation` that were written one section off to the one place where they have an effect. Pure. */
import { documentationOf } from '../schema/accepts';
import type { Schema } from '../schema/accepts';
import { configSchema } from '../schema/config';
import { placesFor } from '../check/key-places';
import { referencesIn } from '../hydra/interpolation/references';
import { isInterpolated } from '../hydra/interpolation/nodes';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { dotted, isMissing, isNull, nodeAt, placeOfNode, scalarsOf, withNodeAt, withoutNodeAt } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

/** Other tools' names of parameters. */
const otherNames: Readonly<Record<string, string>> = { max_tokens: 'max_new_tokens' };

export interface PlacedKeys {
  readonly root: ConfigNode;
  /** What was taken as what. */
  readonly warnings: readonly ConfigProblem[];
}

/**
 * The launcher passes such keys on, or ignores them. One that can stand at several places, or whose place holds another value,
 * stays where it is, and is refused.
 */
export function withPlacedKeys(root: ConfigNode): PlacedKeys {
  const referredTo = new Set(referencesIn(root).flatMap(({ to }) => prefixesOf(to)));
  let placed: PlacedKeys = { root, warnings: [] };
  // What is moved may contain keys that are one section off themselves.
  for (let round = 0; round < 4; round++) {
    const next = [...unknownKeys(placed.root)]
      .filter((path) => !referredTo.has(dotted(path)))
      .reduce(withPlacedKey, placed);
    if (next === placed) break;
    placed = next;
  }
  return placed;
}

function withPlacedKey(placed: PlacedKeys, path: Path): PlacedKeys {
  const { root, warnings } = placed;
  const value = nodeAt(root, path);
  const target = targetOf(path);
  if (value === undefined || target === undefined || hasRelative(value) || isWholeConfig(path, value)) return placed;
  const merged = mergedInto(nodeAt(root, target), value);
  if (merged === undefined) return placed;
  const warning: ConfigProblem = {
    ...placeOf(placeOfNode(value)),
    path: dotted(path),
    message: `has no effect there: it is taken as \`${dotted(target)}\``,
    hint: 'write it there',
  };
  return { root: withNodeAt(withoutNodeAt(root, path), target, merged), warnings: [...warnings, warning] };
}

/** Older configs have the whole run config under `config`; see older-forms.ts. */
const isWholeConfig = (path: Path, value: ConfigNode): boolean =>
  path.at(-1) === 'config' && value.kind === 'map' && (value.entries.has('config') || value.entries.has('target'));

function targetOf(path: Path): Path | undefined {
  const key = String(path.at(-1));
  const section = path.slice(0, -1);
  const other = otherNames[key];
  if (other !== undefined && section.at(-1) === 'params') return [...section, other];
  const [place, second] = placesFor(key, section, 'none');
  return place !== undefined && second === undefined && place[0] === 'evaluation' ? [...place, key] : undefined;
}

/** Yields the unknown keys below `evaluation`, outer ones first. */
function* unknownKeys(root: ConfigNode): Generator<Path> {
  const evaluation = nodeAt(root, ['evaluation']);
  const { accepts } = documentationOf(configSchema('none'));
  if (accepts.kind !== 'section' || evaluation === undefined) return;
  const schema = accepts.shape['evaluation'];
  if (schema !== undefined) yield* within(evaluation, schema, ['evaluation']);
}

function* within(node: ConfigNode, schema: Schema, path: Path): Generator<Path> {
  const { accepts } = documentationOf(schema);
  if (accepts.kind === 'nullable') yield* within(node, accepts.inner, path);
  else if (accepts.kind === 'list' && node.kind === 'list')
    for (const [index, item] of node.items.entries()) yield* within(item, accepts.item, [...path, index]);
  else if (accepts.kind === 'section' && node.kind === 'map')
    for (const [key, child] of node.entries) {
      const inner = Object.hasOwn(accepts.shape, key) ? accepts.shape[key] : undefined;
      if (inner === undefined) yield [...path, key];
      else yield* within(child, inner, [...path, key]);
    }
}

/** Returns the value with what its place holds already; `undefined` if the two contradict each other. */
function mergedInto(existing: ConfigNode | undefined, value: ConfigNode): ConfigNode | undefined {
  if (existing === undefined || isNull(existing) || isMissing(existing) || existing.origin.preset === true)
    return value;
  if (existing.kind !== 'map' || value.kind !== 'map')
    return existing.kind === 'scalar' && value.kind === 'scalar' && existing.value === value.value
      ? existing
      : undefined;
  const entries = new Map(existing.entries);
  for (const [key, child] of value.entries) {
    const merged = mergedInto(entries.get(key), child);
    if (merged === undefined) return undefined;
    entries.set(key, merged);
  }
  return { ...existing, entries };
}

/** Whether a value refers to its neighbours, which it would lose. */
const hasRelative = (value: ConfigNode): boolean =>
  [...scalarsOf(value)].some(({ node }) => isInterpolated(node) && /\$\{\s*\./.test(String(node.value)));

const prefixesOf = (path: Path): string[] => path.map((_key, index) => dotted(path.slice(0, index + 1)));
