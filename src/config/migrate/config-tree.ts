/** A config file as a tree that can be read: aliases and merge keys are followed. */
import { isAlias, isMap, isPair, isScalar, isSeq, visit, YAMLMap } from 'yaml';
import type { Document, Node, Pair, Scalar } from 'yaml';
import type { ScalarValue } from '../yaml/tree';
import { isNullScalar, keyOf, scalarsOf, scalarValue } from './yaml-nodes';
import type { DocumentPath } from './yaml-nodes';

/** A key of a mapping, and the mapping that has it: one of the path itself, or one that it merges (`<<`). */
export interface Entry {
  readonly map: YAMLMap;
  readonly pair: Pair<Scalar, Node | null>;
}

export class ConfigTree {
  constructor(protected readonly document: Document) {
    if (!isMap(document.contents)) document.contents = new YAMLMap();
  }

  /** Returns what is at the path, with aliases and merge keys followed; `null` for an empty value. */
  at(path: DocumentPath): Node | null | undefined {
    let node: Node | null | undefined = this.document.contents;
    for (const key of path) {
      if (node === undefined || node === null) return node;
      node = this.childOf(node, key);
    }
    return node;
  }

  has = (path: DocumentPath): boolean => this.at(path) !== undefined;

  /** Returns a scalar's text; `undefined` for anything else, and for null. */
  text(path: DocumentPath): string | undefined {
    const node = this.at(path);
    if (!isScalar(node) || isNullScalar(node)) return undefined;
    return String(node.value);
  }

  /** Returns a scalar as a YAML 1.1 reader understands it: quoted ones are texts. */
  value(path: DocumentPath): ScalarValue | undefined {
    const node = this.at(path);
    if (node === null) return null;
    return isScalar(node) ? scalarValue(node) : undefined;
  }

  isNull = (path: DocumentPath): boolean => this.value(path) === null;

  isMapAt = (path: DocumentPath): boolean => isMap(this.at(path));

  /** Returns the keys of the mapping at the path, merged ones last; empty if there is none. */
  keys(path: DocumentPath): string[] {
    const node = this.at(path);
    return isMap(node) ? [...new Set(this.entriesOf(node).map(({ pair }) => keyOf(pair)))] : [];
  }

  /** Returns the number of items of the list at the path; 0 if there is none. */
  length(path: DocumentPath): number {
    const node = this.at(path);
    return isSeq(node) ? node.items.length : 0;
  }

  /** Yields every scalar below the path, once where it is written. */
  *scalars(path: DocumentPath = []): Generator<{ path: DocumentPath; text: string }> {
    yield* scalarsOf(this.at(path), path);
  }

  /** Whether a value outside `except` refers to the path: `${execution.num_nodes}`. */
  isReferred(path: DocumentPath, except: (path: DocumentPath) => boolean): boolean {
    const name = path.join('.');
    for (const scalar of this.scalars()) {
      if (except(scalar.path)) continue;
      const at = scalar.text.indexOf(`\${${name}`);
      if (at !== -1 && /^[}.,[]/.test(scalar.text.slice(at + 2 + name.length))) return true;
      if (new RegExp(`\\$\\{[^{}]*[:,]\\s*${name.replaceAll('.', '\\.')}[,}]`).test(scalar.text)) return true;
    }
    return false;
  }

  /** Whether something elsewhere uses an anchor that is set below the path, so that it can't be removed. */
  isAnchored(path: DocumentPath): boolean {
    const node = this.at(path);
    if (node === undefined || node === null) return false;
    const anchors = new Set<string>();
    const inner = new Set<unknown>();
    visit(node, (_key, each) => {
      if (isScalar(each) || isMap(each) || isSeq(each)) {
        if (each.anchor !== undefined) anchors.add(each.anchor);
      } else if (isAlias(each)) inner.add(each);
    });
    let used = false;
    visit(this.document, {
      Alias: (_key, alias) => {
        if (!inner.has(alias) && anchors.has(alias.source)) used = true;
      },
    });
    return used;
  }

  protected entry(path: DocumentPath): Entry | undefined {
    const parent = this.at(path.slice(0, -1));
    return isMap(parent) ? this.entriesOf(parent).find(({ pair }) => keyOf(pair) === String(path.at(-1))) : undefined;
  }

  private childOf(node: Node, key: string | number): Node | null | undefined {
    if (isSeq(node)) {
      const item = /^\d+$/.test(String(key)) ? node.items[Number(key)] : undefined;
      return item === undefined ? undefined : this.followed(item as Node);
    }
    if (!isMap(node)) return undefined;
    const entry = this.entriesOf(node).find(({ pair }) => keyOf(pair) === String(key));
    return entry === undefined ? undefined : this.followed(entry.pair.value);
  }

  private followed(node: Node | null): Node | null {
    return isAlias(node) ? ((node.resolve(this.document) as Node | undefined) ?? null) : node;
  }

  /** Returns a mapping's own entries, then those that it merges. */
  protected entriesOf(map: YAMLMap): Entry[] {
    const own: Entry[] = [];
    const merged: Entry[] = [];
    for (const item of map.items) {
      if (!isPair(item) || !isScalar(item.key)) continue;
      const pair = item as Entry['pair'];
      if (keyOf(pair) !== '<<') {
        own.push({ map, pair });
        continue;
      }
      const source = this.followed(pair.value);
      for (const each of isSeq(source) ? source.items : [source]) {
        const target = this.followed(each as Node | null);
        if (isMap(target)) merged.push(...this.entriesOf(target));
      }
    }
    return [...own, ...merged];
  }
}
