/** Finds the keys that a config's interpolations refer to. Pure. */
import type { ConfigNode, Path } from '../../yaml/tree';
import { isInterpolated } from './nodes';
import { GrammarFailure, parseText } from './parse-interpolation';
import type { Element, Interpolation, TextPart } from './parse-interpolation';

/** A reference from one place to another, before anything is resolved. */
export interface Reference {
  readonly from: Path;
  /** Up to the first key that is itself an interpolation. */
  readonly to: Path;
}

/**
 * Returns every reference of the tree, also those in arguments of resolvers, and those in whose place a copy of what they named has
 * been put. Texts that cannot be parsed have none.
 */
export function referencesIn(node: ConfigNode, path: Path = []): readonly Reference[] {
  if (node.kind === 'scalar')
    return isInterpolated(node) ? pathsNamedIn(String(node.value), path).map((to) => ({ from: path, to })) : [];
  const children: Iterable<[string | number, ConfigNode]> = node.kind === 'map' ? node.entries : node.items.entries();
  return [
    ...(node.copyOf ?? []).map((to) => ({ from: path, to })),
    ...[...children].flatMap(([key, child]) => referencesIn(child, [...path, key])),
  ];
}

/** Returns the paths that a text at a place refers to. */
export function pathsNamedIn(text: string, at: Path): Path[] {
  try {
    return parseText(text).flatMap((part) => ofPart(part, at));
  } catch (error) {
    if (error instanceof GrammarFailure) return [];
    throw error;
  }
}

function ofPart(part: TextPart, at: Path): Path[] {
  return part.kind === 'text' ? [] : ofInterpolation(part, at);
}

function ofInterpolation(part: Interpolation, at: Path): Path[] {
  const pieces = part.kind === 'node' ? part.keys : part.name;
  const inner = pieces.flatMap((piece) => (typeof piece === 'string' ? [] : ofInterpolation(piece, at)));
  if (part.kind === 'resolver')
    return [...inner, ...selected(part, at), ...part.args.flatMap((arg) => ofElement(arg, at))];
  const firstDynamic = part.keys.findIndex((key) => typeof key !== 'string');
  const known = (firstDynamic === -1 ? part.keys : part.keys.slice(0, firstDynamic)).map(String);
  const base = part.up === 0 ? [] : at.slice(0, Math.max(0, at.length - part.up));
  return [...inner, [...base, ...known]];
}

/** Resolvers that take the path of a key as their first argument. */
const selectors = new Set(['oc.select', 'select_not_null', 'oc.dict.keys', 'oc.dict.values', 'oc.deprecated']);

function selected({ name, args }: Extract<Interpolation, { kind: 'resolver' }>, at: Path): Path[] {
  const [first] = args;
  if (first?.kind !== 'scalar' && first?.kind !== 'parts') return [];
  if (!selectors.has(name.filter((piece) => typeof piece === 'string').join('.'))) return [];
  const text = first.kind === 'scalar' ? (first.text ?? String(first.value)) : textOf(first.parts);
  const up = /^\.*/.exec(text)?.[0].length ?? 0;
  const base = up === 0 ? [] : at.slice(0, Math.max(0, at.length - up));
  return text === '' ? [] : [[...base, ...text.slice(up).split('.')]];
}

const textOf = (parts: readonly TextPart[]): string =>
  parts.map((part) => (part.kind === 'text' ? part.text : '')).join('');

function ofElement(element: Element, at: Path): Path[] {
  switch (element.kind) {
    case 'scalar':
      return [];
    case 'parts':
      return element.parts.flatMap((part) => ofPart(part, at));
    case 'list':
      return element.items.flatMap((item) => ofElement(item, at));
    case 'map':
      return element.entries.flatMap(([, value]) => ofElement(value, at));
  }
}
