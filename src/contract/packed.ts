/**
 * Many similar things, packed for workflow history: what they have in common once, and a row of what differs for each. Exact:
 * unpacking returns what was packed, as JSON would. Pure, and free of Node.
 */

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Where a value is in a thing: keys and positions. A final `[line]` is a line of a text. */
type Place = readonly (string | number | readonly [number])[];

/** One part in which they differ. */
type Column =
  /** Texts with a common beginning and end; the rows hold what is between. */
  | { readonly at: Place; readonly kind: 'text'; readonly head: string; readonly tail: string }
  /** Few different values; the rows hold positions. */
  | { readonly at: Place; readonly kind: 'choice'; readonly values: readonly Json[] }
  | { readonly at: Place; readonly kind: 'any' };

/** What the rows refer to. */
export interface Pattern<T> {
  readonly first: T;
  readonly columns: readonly Column[];
}

/** The differences of one of them; one entry per column. */
export type Row = readonly Json[];

export interface Packed<T> {
  readonly pattern: Pattern<T>;
  readonly rows: readonly Row[];
}

/** Packs at least one thing. */
export function pack<T>(things: readonly T[]): Packed<T> {
  // As they would be sent: without undefined properties.
  const plain = JSON.parse(JSON.stringify(things)) as Json[];
  const [first] = plain;
  if (first === undefined) throw new Error('there is nothing to pack');
  const rows: Json[][] = plain.map(() => []);
  const columns: Column[] = [];
  collect(plain, [], { columns, rows });
  return { pattern: { first: first as unknown as T, columns }, rows };
}

/** Returns the things of some rows. They share everything that they have in common: don't change them. */
export function unpack<T>({ pattern, rows }: Packed<T>): T[] {
  return rows.map((row) =>
    pattern.columns.reduce<Json>(
      (thing, column, at) => replaced(thing, column.at, valueOf(column, row[at] ?? null)),
      pattern.first as unknown as Json,
    ),
  ) as unknown as T[];
}

interface Collected {
  readonly columns: Column[];
  readonly rows: Json[][];
}

/** Adds a column for each smallest part in which the values differ. */
function collect(values: readonly Json[], at: Place, into: Collected): void {
  const [first = null] = values;
  const texts = values.map((value) => (typeof value === 'string' ? value : `\0${JSON.stringify(value)}`));
  const distinct = new Map(texts.map((text, at) => [text, values[at] ?? null] as const));
  if (distinct.size === 1) return;
  if (distinct.size <= Math.min(20, values.length / 3)) {
    const positions = new Map([...distinct.keys()].map((text, position) => [text, position] as const));
    const entries = texts.map((text) => positions.get(text) ?? 0);
    return add({ at, kind: 'choice', values: [...distinct.values()] }, entries, into);
  }
  const parts = partsOf(first);
  if (parts !== undefined && values.every((value) => isAlike(parts, partsOf(value)))) {
    for (const [position, key] of parts.keys.entries())
      collect(
        values.map((value) => partsOf(value)?.values[position] ?? null),
        [...at, key],
        into,
      );
    return;
  }
  if (values.every((value) => typeof value === 'string')) return addTexts(values, at, into);
  add({ at, kind: 'any' }, values, into);
}

function addTexts(texts: readonly string[], at: Place, into: Collected): void {
  const head = texts.reduce(commonHead);
  const tail = texts.map((text) => text.slice(head.length)).reduce(commonTail);
  const middles = texts.map((text) => text.slice(head.length, text.length - tail.length));
  add({ at, kind: 'text', head, tail }, middles, into);
}

function add(column: Column, entries: readonly Json[], { columns, rows }: Collected): void {
  columns.push(column);
  for (const [index, entry] of entries.entries()) rows[index]?.push(entry);
}

interface Parts {
  readonly kind: 'list' | 'map' | 'lines';
  readonly keys: readonly Place[number][];
  readonly values: readonly Json[];
}

/** Splits a value into its parts; `undefined`: it has none. */
function partsOf(value: Json): Parts | undefined {
  if (typeof value === 'string') {
    const lines = value.split('\n');
    return lines.length < 2 ? undefined : { kind: 'lines', keys: lines.map((_, at) => [at] as const), values: lines };
  }
  if (Array.isArray(value)) {
    const items = value as readonly Json[];
    return { kind: 'list', keys: items.map((_, at) => at), values: items };
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const entries = Object.entries(value as { readonly [key: string]: Json });
  return { kind: 'map', keys: entries.map(([key]) => key), values: entries.map(([, part]) => part) };
}

const isAlike = (one: Parts, other: Parts | undefined): boolean =>
  other?.kind === one.kind && JSON.stringify(one.keys) === JSON.stringify(other.keys);

const textIn = (value: Json): string => (typeof value === 'string' ? value : '');

function valueOf(column: Column, entry: Json): Json {
  switch (column.kind) {
    case 'text':
      return `${column.head}${textIn(entry)}${column.tail}`;
    case 'choice':
      return column.values[Number(entry)] ?? null;
    case 'any':
      return entry;
  }
}

/** Returns a copy of `node` in which the part at this place has another value; everything else is shared. */
function replaced(node: Json, [key, ...rest]: Place, value: Json): Json {
  if (key === undefined) return value;
  if (typeof key === 'object') {
    const lines = textIn(node).split('\n');
    lines[key[0]] = textIn(value);
    return lines.join('\n');
  }
  if (typeof key === 'number') {
    const items = node as readonly Json[];
    return items.map((item, at) => (at === key ? replaced(item, rest, value) : item));
  }
  const map = node as { readonly [name: string]: Json };
  return { ...map, [key]: replaced(map[key] ?? null, rest, value) };
}

function commonHead(one: string, other: string): string {
  let length = 0;
  while (length < one.length && one.charCodeAt(length) === other.charCodeAt(length)) length += 1;
  return one.slice(0, length);
}

function commonTail(one: string, other: string): string {
  let length = 0;
  while (
    length < Math.min(one.length, other.length) &&
    one.charCodeAt(one.length - 1 - length) === other.charCodeAt(other.length - 1 - length)
  )
    length += 1;
  return one.slice(one.length - length);
}
