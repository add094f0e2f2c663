/** A config file as a tree that can be changed while its comments, order and anchors stay. */
import { isMap, isScalar, isSeq, Pair, parseDocument, YAMLMap } from 'yaml';
import type { Document, Node, Scalar } from 'yaml';
import { ConfigTree } from './config-tree';
import { commentsOf, indentOf, isNullScalar, joinComments, keyOf, newScalar, typeFor } from './yaml-nodes';
import type { DocumentPath } from './yaml-nodes';

/** Scalars stay text, so that `04:00:00`, `0123` and `yes` are written as they were read. */
const options = { version: '1.1', schema: 'failsafe', uniqueKeys: false, merge: false, prettyErrors: false } as const;

/** Parses a file that is known to be a mapping. */
export const parseConfigDocument = (text: string, indent = indentOf(text)): ConfigDocument =>
  new ConfigDocument(parseDocument(text, options), indent);

export class ConfigDocument extends ConfigTree {
  /** Where the key was that was taken last: what replaces it goes there. */
  private hole: { readonly map: YAMLMap; readonly index: number } | undefined;

  constructor(
    document: Document,
    readonly indent: number,
  ) {
    super(document);
  }

  override toString(): string {
    return this.document.toString({ indent: this.indent, lineWidth: 0, flowCollectionPadding: false });
  }

  /** Replaces a scalar by another; comments stay. */
  setText(path: DocumentPath, text: string): void {
    const node = this.at(path);
    if (isScalar(node)) {
      node.value = text;
      delete node.source;
      node.type = typeFor(text, node.type);
      return;
    }
    this.put(path, newScalar(text));
  }

  /** Puts a value at a path; missing mappings on the way are made. Returns false if something on the way is no mapping. */
  put(path: DocumentPath, value: Node): boolean {
    const parent = this.ensureMap(path.slice(0, -1));
    const key = String(path.at(-1));
    if (parent === undefined) return false;
    const existing = this.entriesOf(parent).find(({ pair }) => keyOf(pair) === key);
    if (existing !== undefined) {
      existing.pair.value = value;
      return true;
    }
    this.insert(parent, new Pair(newScalar(key), value));
    if (parent.flow === true && isMap(value)) value.flow = true;
    return true;
  }

  putText = (path: DocumentPath, text: string): boolean => this.put(path, newScalar(text));

  /** Moves a value, with the comments above and beside it. Returns false if there is none, or if the place can't have it. */
  move(from: DocumentPath, to: DocumentPath): boolean {
    const comments = this.entry(from)?.pair.key;
    const { commentBefore, spaceBefore } = comments ?? {};
    if (comments !== undefined) delete comments.commentBefore;
    const node = this.take(from);
    if (node === undefined || node === null || !this.put(to, node)) return false;
    const key = this.entry(to)?.pair.key;
    if (key !== undefined && commentBefore != null) key.commentBefore = commentBefore;
    if (key !== undefined && spaceBefore !== undefined && this.hole !== undefined) key.spaceBefore = spaceBefore;
    this.hole = undefined;
    return true;
  }

  /** Adds an empty mapping right after a key. */
  addAfter(path: DocumentPath, key: string): void {
    const entry = this.entry(path);
    if (entry === undefined) return;
    const made = new YAMLMap();
    if (entry.map.flow === true) made.flow = true;
    entry.map.items.splice(entry.map.items.indexOf(entry.pair) + 1, 0, new Pair(newScalar(key), made) as never);
  }

  private insert(map: YAMLMap, pair: Pair<Scalar, Node>): void {
    const index = this.hole?.map === map ? this.hole.index : map.items.length;
    map.items.splice(index, 0, pair as never);
  }

  /** Adds an item to a list. Returns false if there is none. */
  append(path: DocumentPath, item: Node): boolean {
    const list = this.at(path);
    if (!isSeq(list)) return false;
    if (list.flow === true && isMap(item)) item.flow = true;
    list.items.push(item);
    return true;
  }

  /** Inserts an item at the beginning of a list. */
  prepend(path: DocumentPath, item: Node): void {
    const list = this.at(path);
    if (!isSeq(list)) return;
    if (list.items.length === 0) list.flow = false;
    list.items.unshift(item);
  }

  /** Adds a key at the beginning of the file. */
  putFirst(key: string, value: Node): void {
    const root = this.document.contents as unknown as YAMLMap<Scalar, Node>;
    const pair = new Pair(newScalar(key), value);
    const [first] = root.items;
    // The comment at the top of the file stays at the top.
    if (first !== undefined && isScalar(first.key)) {
      const comment = first.key.commentBefore ?? root.commentBefore;
      if (comment != null) pair.key.commentBefore = comment;
      delete first.key.commentBefore;
      delete root.commentBefore;
      first.key.spaceBefore = true;
    }
    root.items.unshift(pair);
  }

  /** Replaces a list's item, or a key's value. */
  replace(path: DocumentPath, value: Node): void {
    const parent = this.at(path.slice(0, -1));
    const key = path.at(-1);
    if (isSeq(parent)) parent.items[Number(key)] = value;
    else this.put(path, value);
  }

  rename(path: DocumentPath, key: string): void {
    const entry = this.entry(path);
    if (entry !== undefined) entry.pair.key = Object.assign(newScalar(key), commentsOf(entry.pair.key));
  }

  /**
   * Removes a key and mappings that get empty by it, and returns its value with the comment at its side. Comments on lines of
   * their own stay.
   */
  take(path: DocumentPath): Node | null | undefined {
    const entry = this.entry(path);
    if (entry === undefined) return undefined;
    const { map, pair } = entry;
    const index = map.items.indexOf(pair);
    map.items.splice(index, 1);
    this.hole = { map, index };
    const { commentBefore, spaceBefore } = pair.key;
    const next = map.items[index]?.key as Scalar | undefined;
    if (next !== undefined) {
      if (spaceBefore === true || commentBefore?.startsWith('\n') === true) next.spaceBefore = true;
      const joined = joinComments(commentBefore, next.commentBefore);
      if (joined !== undefined) next.commentBefore = joined;
    } else {
      const joined = joinComments(commentBefore, map.comment);
      if (joined !== undefined) map.comment = joined;
    }
    if (map.items.length === 0 && path.length > 1 && this.at(path.slice(0, -1)) === map) {
      this.dropEmpty(path.slice(0, -1), map);
    }
    return pair.value;
  }

  /** Removes a mapping that has become empty; its comments go to what follows it. */
  private dropEmpty(path: DocumentPath, map: YAMLMap): void {
    const entry = this.entry(path);
    if (entry === undefined || entry.pair.value !== map) return;
    const comments = joinComments(map.commentBefore, map.comment);
    if (comments !== undefined) {
      const own = joinComments(entry.pair.key.commentBefore, comments);
      if (own !== undefined) entry.pair.key.commentBefore = own;
    }
    this.take(path);
  }

  private ensureMap(path: DocumentPath): YAMLMap | undefined {
    let map = this.document.contents as unknown as YAMLMap;
    for (const [depth, key] of path.entries()) {
      const child = this.at(path.slice(0, depth + 1));
      if (isMap(child)) {
        if (child.items.length === 0 && map.flow !== true) child.flow = false;
        map = child;
        continue;
      }
      if (isSeq(child)) continue;
      if (child !== undefined && child !== null && !(isScalar(child) && isNullScalar(child))) return undefined;
      const made = new YAMLMap();
      if (map.flow === true) made.flow = true;
      const entry = this.entry(path.slice(0, depth + 1));
      const comment = isScalar(child) ? joinComments(child.commentBefore, child.comment) : undefined;
      if (comment !== undefined) made.commentBefore = comment;
      if (entry !== undefined) entry.pair.value = made;
      else if (typeof key === 'number') return undefined;
      else this.insert(map, new Pair(newScalar(key), made));
      map = made;
    }
    return map;
  }
}
