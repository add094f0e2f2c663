/** Applies value overrides to a composed config, with OmegaConf's rules for existing and new keys. */
import { mergeNodes, type MergePlace } from '../compose/merge';
import { isInterpolated } from '../interpolation/nodes';
import { containerAt, resolveOne } from '../interpolation/resolve-interpolations';
import { nearestNames } from '../../../support/nearest';
import { placeOf } from '../../yaml/problems';
import type { ConfigProblem } from '../../yaml/problems';
import { pythonText } from '../python-text';
import type { MisspeltKey } from '../../check/misspelt-keys';
import { childOf, isMissing, isNull, nodeAt, withNodeAt, withoutNodeAt } from '../../yaml/tree';
import type { ConfigNode, Path } from '../../yaml/tree';
import type { Override } from './parse-override';

export interface AppliedOverrides {
  readonly root: ConfigNode;
  readonly problems: readonly ConfigProblem[];
  /** Overrides of keys that the config does not have. */
  readonly misspeltKeys: readonly MisspeltKey[];
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** Applies the overrides in order. One that cannot be applied is reported and changes nothing. `env` serves `oc.env`. Pure. */
export function applyOverrides(root: ConfigNode, overrides: readonly Override[], env: Variables): AppliedOverrides {
  const problems: ConfigProblem[] = [];
  const misspeltKeys: MisspeltKey[] = [];
  let current = root;
  for (const override of overrides) {
    const outcome = applyOne(current, override, env);
    if ('root' in outcome) {
      current = outcome.root;
      continue;
    }
    const { candidates = [], value = override.value, absent, ...words } = outcome;
    problems.push({ ...placeOf(override.origin), path: override.key, ...words });
    if (value === undefined) continue;
    const added = absent === undefined ? {} : { absent: { path: absent, value } };
    misspeltKeys.push({ written: override.key.split('.'), candidates, value, ...added });
  }
  return { root: current, problems, misspeltKeys };
}

/** Why an override cannot be applied. */
interface Obstacle {
  readonly message: string;
  readonly hint?: string;
  /** Where the value would fit, nearest first. */
  readonly candidates?: readonly Path[];
  /** What would fit there, if it is only a part of the override's value. */
  readonly value?: ConfigNode;
  /** The key that the config does not have. */
  readonly absent?: Path;
}

type Outcome = { root: ConfigNode } | Obstacle;

function applyOne(root: ConfigNode, override: Override, env: Variables): Outcome {
  const path = override.key.split('.');
  if (override.kind === 'delete' || override.value === undefined) return remove(root, path, { override, env });
  const existing = nodeAt(root, path);
  if (override.kind === 'add' && isPresent(existing) && override.value.kind === 'scalar') {
    return {
      message: 'is already in the config',
      hint: `to change it: ${override.key}=VALUE; to add or change it: ++${override.key}=VALUE`,
    };
  }
  return update(root, path, override.value, { force: override.kind !== 'change', env });
}

/** Does what `OmegaConf.update(merge=True)` does. `force` allows new keys. */
export function update(
  root: ConfigNode,
  path: Path,
  value: ConfigNode,
  { force, env }: { force: boolean; env: Variables },
): Outcome {
  const obstacle = findObstacle(root, path, force);
  if (obstacle !== undefined) return obstacle;
  const existing = nodeAt(root, path);
  if (existing === undefined || existing.kind === 'scalar' || value.kind === 'scalar')
    return { root: withNodeAt(root, path, keepKey(value, existing)) };
  if (existing.kind !== value.kind) {
    return {
      message: `is a ${existing.kind === 'map' ? 'mapping' : 'list'}, and a ${value.kind === 'map' ? 'mapping' : 'list'} cannot replace it`,
    };
  }
  const unknown = force ? undefined : firstUnknown(existing, value, { root, path, env });
  if (unknown !== undefined) return unknown;
  return { root: withNodeAt(root, path, mergeNodes(existing, value, { root, path, env })) };
}

/** Returns why `path` does not exist in the config; `undefined` if it does, or may be created. */
function findObstacle(root: ConfigNode, path: Path, force: boolean): Obstacle | undefined {
  let node: ConfigNode | undefined = root;
  for (const [depth, key] of path.entries()) {
    if (node.kind === 'list') {
      if (!/^\d+$/.test(String(key)))
        return { message: `\`${path.slice(0, depth).join('.')}\` is a list: expected an index, found \`${key}\`` };
      if (Number(key) >= node.items.length)
        return {
          message: `index ${key} is out of range: \`${path.slice(0, depth).join('.')}\` has ${node.items.length} items`,
        };
    }
    const child = childOf(node, key);
    if (child === undefined) return force ? undefined : unknownKey(node, path, depth);
    node = child;
  }
  return undefined;
}

function unknownKey(node: ConfigNode, path: Path, depth: number): Obstacle {
  const key = String(path[depth]);
  if (node.kind === 'scalar' && isPresent(node))
    return { message: `\`${path.slice(0, depth).join('.')}\` is a single value: it has no key \`${key}\`` };
  const message = `${depth === 0 ? 'the config' : `\`${path.slice(0, depth).join('.')}\``} has no key \`${key}\``;
  const near = node.kind === 'map' ? nearestNames(key, node.entries.keys()) : [];
  const candidates = near.map((name) => [...path.slice(0, depth), name, ...path.slice(depth + 1)]);
  const elsewhere = near.length === 0 && depth === 0 ? placesOf(node, key) : [];
  if (elsewhere.length > 0)
    return {
      message,
      hint: `did you mean ${alternatives(elsewhere)}?`,
      candidates: elsewhere.map((place) => [...place, ...path.slice(1)]),
    };
  const adding = `+${path.join('.')}=VALUE`;
  // The top level has only sections, and none can be added.
  const sections = node.kind === 'map' ? [...node.entries.keys()].join(', ') : '';
  if (near.length === 0)
    return { message, hint: depth === 0 ? `it has: ${sections}` : `to add it: ${adding}`, absent: path };
  return { message, hint: `did you mean ${alternatives(candidates)}?`, candidates, absent: path };
}

const alternatives = (paths: readonly Path[]): string => paths.map((path) => `\`${path.join('.')}\``).join(' or ');

/** Returns where the config has a key of a similar name: perhaps its path was left out. */
function placesOf(root: ConfigNode, key: string): readonly Path[] {
  const paths = [...keyPaths(root, [])];
  const near = nearestNames(key, new Set(paths.map((keys) => keys.at(-1) ?? '')));
  const found = paths.filter((keys) => keys.at(-1) === near[0]);
  return found.length > 3 ? [] : found;
}

function* keyPaths(node: ConfigNode, path: readonly string[]): Generator<readonly string[]> {
  if (node.kind !== 'map') return;
  for (const [key, child] of node.entries) {
    yield [...path, key];
    yield* keyPaths(child, [...path, key]);
  }
}

function firstUnknown(existing: ConfigNode, value: ConfigNode, place: MergePlace): Obstacle | undefined {
  if (existing.kind !== 'map' || value.kind !== 'map') return undefined;
  for (const [key, node] of value.entries) {
    const { root, env } = place;
    const path = [...place.path, key];
    const child = existing.entries.get(key);
    if (child === undefined) return { ...unknownKey(existing, path, place.path.length), value: node };
    const inner = firstUnknown(containerAt(root, path, env) ?? child, node, { root, path, env });
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function remove(root: ConfigNode, path: Path, { override, env }: { override: Override; env: Variables }): Outcome {
  const written = nodeAt(root, path);
  // Like Hydra, look at what a reference resolves to.
  const existing = written && isInterpolated(written) ? resolveOne(root, path, env) : written;
  if (written !== undefined && existing === undefined)
    return {
      message: 'cannot be deleted: its value cannot be resolved',
      hint: `replace it first: ${override.key}=VALUE`,
    };
  if (!isPresent(existing) || existing === undefined) {
    const parent = nodeAt(root, path.slice(0, -1));
    const near = parent?.kind === 'map' ? nearestNames(String(path.at(-1)), parent.entries.keys()) : [];
    return {
      message: 'cannot be deleted: it is not in the config',
      ...(near.length === 0 ? {} : { hint: `did you mean \`${[...path.slice(0, -1), near[0] ?? ''].join('.')}\`?` }),
    };
  }
  const wanted = override.value;
  if (wanted !== undefined && !isNull(wanted) && !sameValue(existing, wanted)) {
    return {
      message: `is not deleted: its value is not ${wanted.kind === 'scalar' ? `\`${pythonText(wanted)}\`` : 'the one given'}`,
    };
  }
  return { root: withoutNodeAt(root, path) };
}

const isPresent = (node: ConfigNode | undefined): boolean => node !== undefined && !isNull(node) && !isMissing(node);

const sameValue = (a: ConfigNode, b: ConfigNode): boolean =>
  a.kind === 'scalar' && b.kind === 'scalar' && a.value === b.value;

/** Keeps the key's origin, which is the file; the value's origin is the override. */
const keepKey = (value: ConfigNode, existing: ConfigNode | undefined): ConfigNode =>
  existing?.keyOrigin === undefined ? value : { ...value, keyOrigin: value.origin };
