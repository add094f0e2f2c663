/** Making and reading nodes of the `yaml` package. Pure. */
import { isMap, isScalar, isSeq, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import type { Node } from 'yaml';
import { resolvePlain } from '../yaml/yaml-scalars';
import type { ScalarValue } from '../yaml/tree';

export type DocumentPath = readonly (string | number)[];

/** Makes a scalar that every YAML reader takes for this text, or for this number or truth value. */
export function newScalar(text: string): Scalar<string> {
  const scalar = new Scalar(text);
  scalar.type = Scalar.PLAIN;
  return scalar;
}

export function newMap(entries: Readonly<Record<string, string | Node>>): YAMLMap {
  const map = new YAMLMap();
  for (const [key, value] of Object.entries(entries))
    map.items.push(new Pair(newScalar(key), typeof value === 'string' ? newScalar(value) : value));
  return map;
}

export function newList(items: readonly (string | Node)[]): YAMLSeq {
  const list = new YAMLSeq();
  list.items.push(...items.map((item) => (typeof item === 'string' ? newScalar(item) : item)));
  return list;
}

export const isMapNode = (node: unknown): node is YAMLMap => isMap(node);
export const isScalarNode = (node: unknown): node is Scalar => isScalar(node);

/** Returns a scalar node as a YAML 1.1 reader understands it. */
export function scalarValue(node: Scalar): ScalarValue {
  const text = String(node.value);
  return node.type === undefined || node.type === Scalar.PLAIN ? resolvePlain(text).value : text;
}

export const isNullScalar = (node: Scalar): boolean => node.value === null || scalarValue(node) === null;

export const keyOf = (pair: Pair<Scalar, unknown>): string => String(pair.key.value);

export const typeFor = (text: string, type: Scalar['type']): NonNullable<Scalar['type']> =>
  type === undefined || text.includes('\n') ? Scalar.PLAIN : type;

export const commentsOf = ({ commentBefore, comment, spaceBefore }: Scalar): Partial<Scalar> => ({
  ...(commentBefore == null ? {} : { commentBefore }),
  ...(comment == null ? {} : { comment }),
  ...(spaceBefore === undefined ? {} : { spaceBefore }),
});

/** Joins comments that get the same place. */
export function joinComments(first: string | null | undefined, second: string | null | undefined): string | undefined {
  if (first == null) return second ?? undefined;
  return second == null ? first : `${first}\n${second}`;
}

/** Yields every scalar where it is written. */
export function* scalarsOf(node: unknown, path: DocumentPath): Generator<{ path: DocumentPath; text: string }> {
  if (isScalar(node)) yield { path, text: String(node.value) };
  else if (isSeq(node)) for (const [index, item] of node.items.entries()) yield* scalarsOf(item, [...path, index]);
  else if (isMap(node))
    for (const item of node.items)
      if (isScalar(item.key)) yield* scalarsOf(item.value, [...path, String(item.key.value)]);
}

/** Returns how far a file indents its first nested line; 2 if it has none. */
export function indentOf(text: string): number {
  const found = /^[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( +)[^\s#]/m.exec(text)?.[1];
  return found === undefined ? 2 : Math.min(Math.max(found.length, 1), 8);
}
