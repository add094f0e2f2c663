/** The untyped configuration: immutable nodes that know where they were written. */
import type { Origin } from './problems';

export type ScalarValue = string | number | bigint | boolean | null;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly value: ScalarValue;
  /** The value as it was written, if that may differ from `String(value)` (`1.10`, `0666`, `yes`). */
  readonly text?: string;
  /** A number written with a point or exponent: to Python, `1.0` is not `1`. */
  readonly float?: boolean;
  /** The value is final: `${` in it is plain text. */
  readonly verbatim?: boolean;
  /** Environment variables from which the value was made; `whole`: it is the value of one of them. */
  readonly env?: { readonly names: readonly string[]; readonly whole: boolean };
  readonly origin: Origin;
  readonly keyOrigin?: Origin;
}

export interface MapNode {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, ConfigNode>;
  /** It is a copy of what a reference named, which refers to these paths (see hydra/compose/merge.ts). */
  readonly copyOf?: readonly Path[];
  readonly origin: Origin;
  readonly keyOrigin?: Origin;
}

export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly ConfigNode[];
  /** As that of a mapping. */
  readonly copyOf?: readonly Path[];
  readonly origin: Origin;
  readonly keyOrigin?: Origin;
}

export type ConfigNode = ScalarNode | MapNode | ListNode;

export type Path = readonly (string | number)[];

export const scalar = (value: ScalarValue, origin: Origin): ScalarNode => ({ kind: 'scalar', value, origin });

export const emptyMap = (origin: Origin): MapNode => ({ kind: 'map', entries: new Map(), origin });

export const isMissing = (node: ConfigNode | undefined): boolean =>
  node?.kind === 'scalar' && node.value === '???' && node.verbatim !== true;

export const isNull = (node: ConfigNode | undefined): boolean => node?.kind === 'scalar' && node.value === null;

/** Returns the origin of the key if there is one, else of the value. */
export const placeOfNode = (node: ConfigNode | undefined): Origin | undefined => node?.keyOrigin ?? node?.origin;

export const dotted = (path: Path): string => path.join('.');

export function childOf(node: ConfigNode | undefined, key: string | number): ConfigNode | undefined {
  if (node === undefined) return undefined;
  switch (node.kind) {
    case 'map':
      return node.entries.get(String(key));
    case 'list':
      return /^\d+$/.test(String(key)) ? node.items[Number(key)] : undefined;
    case 'scalar':
      return undefined;
  }
}

export const nodeAt = (root: ConfigNode | undefined, path: Path): ConfigNode | undefined =>
  path.reduce<ConfigNode | undefined>((node, key) => childOf(node, key), root);

/** Returns the deepest existing node on the way to `path`: where to report that something is absent. */
export function nearestNodeAt(root: ConfigNode, path: Path): ConfigNode {
  let node = root;
  for (const key of path) {
    const next = childOf(node, key);
    if (next === undefined) return node;
    node = next;
  }
  return node;
}

/** Returns a copy of `root` with `value` at `path`. Missing maps are created; a list must already have the index. */
export function withNodeAt(root: ConfigNode, path: Path, value: ConfigNode): ConfigNode {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (root.kind === 'list') {
    const index = Number(key);
    const items = [...root.items];
    items[index] = withNodeAt(items[index] ?? emptyMap(value.origin), rest, value);
    return { ...root, items };
  }
  const base: MapNode = root.kind === 'map' ? root : emptyMap(value.origin);
  const entries = new Map(base.entries);
  entries.set(String(key), withNodeAt(entries.get(String(key)) ?? emptyMap(value.origin), rest, value));
  return { ...base, entries };
}

/** Returns a copy of `root` without the node at `path`. */
export function withoutNodeAt(root: ConfigNode, path: Path): ConfigNode {
  const [key, ...rest] = path;
  if (key === undefined || root.kind === 'scalar') return root;
  if (root.kind === 'list') {
    const index = Number(key);
    if (rest.length === 0) return { ...root, items: root.items.filter((_item, at) => at !== index) };
    const items = [...root.items];
    const child = items[index];
    if (child !== undefined) items[index] = withoutNodeAt(child, rest);
    return { ...root, items };
  }
  const entries = new Map(root.entries);
  const child = entries.get(String(key));
  if (rest.length === 0) entries.delete(String(key));
  else if (child !== undefined) entries.set(String(key), withoutNodeAt(child, rest));
  return { ...root, entries };
}

/** Counts the nodes of a tree, counting shared ones each time. */
export function expandedSize(node: ConfigNode, memo = new Map<ConfigNode, number>()): number {
  if (node.kind === 'scalar') return 1;
  const known = memo.get(node);
  if (known !== undefined) return known;
  let size = 1;
  const children = node.kind === 'map' ? node.entries.values() : node.items;
  for (const child of children) size += expandedSize(child, memo);
  memo.set(node, size);
  return size;
}

/** Yields every scalar below `node` with its path. */
export function* scalarsOf(node: ConfigNode, path: Path = []): Generator<{ path: Path; node: ScalarNode }> {
  switch (node.kind) {
    case 'scalar':
      yield { path, node };
      return;
    case 'map':
      for (const [key, child] of node.entries) yield* scalarsOf(child, [...path, key]);
      return;
    case 'list':
      for (const [index, child] of node.items.entries()) yield* scalarsOf(child, [...path, index]);
  }
}
