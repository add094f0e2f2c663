import type { SqlitePages } from './sqlite-pages';

/** What can be told of an SQLite database without SQLite: its tables, and whether their pages are pages of tables. */

/** Pages that a check visits at most: of more, the last ones are not looked at. */
const mostVisited = 20_000;

const interiorIndex = 2;
const interiorTable = 5;
const leafIndex = 10;
const leafTable = 13;
const isKind = (kind: number): boolean => [interiorIndex, interiorTable, leafIndex, leafTable].includes(kind);

export interface Structure {
  readonly tables: ReadonlySet<string>;
  /** The first page that is none of a table or index although one refers to it. */
  readonly brokenPage: number | undefined;
}

/** Walks all tables and indexes of a database, from their first pages down. */
export function structureOf(pages: SqlitePages): Structure {
  const tables = new Set<string>();
  const visited = new Set<number>();
  const roots: number[] = [];
  let brokenPage = walk(pages, 1, visited, (page, cell) => {
    const entry = schemaEntry(pages.usable, page, cell);
    if (entry === undefined) return;
    if (entry.type === 'table') tables.add(entry.name);
    if (entry.root > 0) roots.push(entry.root);
  });
  for (const root of roots) brokenPage ??= walk(pages, root, visited);
  return { tables, brokenPage };
}

/** Visits the pages below `root`, and calls `onCell` for each cell of its table leaves. Returns the first broken page. */
function walk(
  pages: SqlitePages,
  root: number,
  visited: Set<number>,
  onCell?: (page: Buffer, cell: number) => void,
): number | undefined {
  const open = [root];
  for (let number = open.pop(); number !== undefined; number = open.pop()) {
    if (visited.size >= mostVisited) return undefined;
    if (visited.has(number)) return number;
    visited.add(number);
    const page = pageOrNone(pages, number);
    if (page === undefined) return number;
    const start = number === 1 ? 100 : 0;
    const kind = page.readUInt8(start);
    const isInterior = kind === interiorIndex || kind === interiorTable;
    const cells = isKind(kind) ? cellsOf(page, start, isInterior) : undefined;
    if (cells === undefined) return number;
    if (isInterior) open.push(page.readUInt32BE(start + 8), ...cells.map((cell) => page.readUInt32BE(cell)).reverse());
    else if (kind === leafTable) for (const cell of cells) onCell?.(page, cell);
  }
  return undefined;
}

function pageOrNone(pages: SqlitePages, number: number): Buffer | undefined {
  try {
    return pages.page(number);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Returns where the cells of a page begin; `undefined` if that can't be. */
function cellsOf(page: Buffer, start: number, isInterior: boolean): number[] | undefined {
  const first = start + (isInterior ? 12 : 8);
  const end = first + 2 * page.readUInt16BE(start + 3);
  if (end > page.length) return undefined;
  const cells: number[] = [];
  for (let at = first; at < end; at += 2) {
    const cell = page.readUInt16BE(at);
    if (cell < end || cell + 4 > page.length) return undefined;
    cells.push(cell);
  }
  return cells;
}

/**
 * Reads an entry of the table of tables: its type, name and first page, which come before the long text. `undefined` if
 * they don't lie on the page itself.
 */
function schemaEntry(
  usable: number,
  page: Buffer,
  cell: number,
): { readonly type: string; readonly name: string; readonly root: number } | undefined {
  const [payload, afterPayload] = varint(page, cell);
  const [, start] = varint(page, afterPayload);
  const end = Math.min(page.length, start + localBytes(usable, payload));
  const [headerBytes, afterHeaderSize] = varint(page, start);
  const fields: { readonly at: number; readonly bytes: number; readonly isText: boolean }[] = [];
  let at = start + headerBytes;
  for (let next = afterHeaderSize; fields.length < 4;) {
    if (next >= end) return undefined;
    const [serial, after] = varint(page, next);
    next = after;
    const bytes = serial >= 12 ? Math.floor((serial - 12) / 2) : ([0, 1, 2, 3, 4, 6, 8, 8, 0, 0][serial] ?? 0);
    fields.push({ at, bytes, isText: serial >= 13 && serial % 2 === 1 });
    at += bytes;
  }
  const [type, name, , root] = fields;
  if (at > end || !type?.isText || !name?.isText || root === undefined || root.isText) return undefined;
  const text = (field: typeof type): string => page.toString('utf8', field.at, field.at + field.bytes);
  return {
    type: text(type),
    name: text(name),
    root: root.bytes === 0 ? 0 : page.readUIntBE(root.at, Math.min(6, root.bytes)),
  };
}

/** Returns how many bytes of a table cell's payload lie on its own page. */
function localBytes(usable: number, payload: number): number {
  if (payload <= usable - 35) return payload;
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const some = least + ((payload - least) % (usable - 4));
  return some <= usable - 35 ? some : least;
}

/** Reads an integer of variable length; returns it and where it ends. */
function varint(page: Buffer, start: number): [value: number, end: number] {
  let value = 0;
  for (let at = start; at < start + 8; at += 1) {
    const byte = page[at] ?? 0;
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return [value, at + 1];
  }
  return [value * 256 + (page[start + 8] ?? 0), start + 9];
}
