/** Packages: where in the config the content of a file goes. Pure. */
import path from 'node:path';
import { emptyMap, withNodeAt } from '../../yaml/tree';
import type { MapNode } from '../../yaml/tree';
import { choiceKey } from './group-choices';

/** Where a file is, and where its content goes in the config. */
export interface Place {
  /** Folder in the search path, e.g. `deployment`; empty at the top. */
  readonly base: string;
  /** Dotted path in the config, e.g. `deployment`; empty at the top. */
  readonly package: string;
}
export const absolute = (name: string, base: string): string =>
  name.startsWith('/') ? name.slice(1) : base === '' ? name : `${base}/${name}`;

export const folderOf = (name: string): string => path.posix.dirname(name).replace(/^\.$/, '');

export function atPackage(content: MapNode, packageName: string): MapNode {
  if (packageName === '') return content;
  return withNodeAt(emptyMap(content.origin), packageName.split('.'), content) as MapNode;
}

/** The package in the defaults list wins over the file's header, which wins over the group's name. All are relative to the parent's package. */
export function packageOf(
  { override, header, written }: { override: string | undefined; header?: string | undefined; written: string },
  parent: Place,
): string {
  const name = override ?? (header === undefined || header === '_group_' ? written : header);
  if (name === '_here_') return parent.package;
  if (name.startsWith('_global_')) return name.slice('_global_'.length).replace(/^\./, '');
  return [parent.package, name].filter((piece) => piece !== '').join('.');
}

export const asPackage = (name: string): string => name.replace(/^\//, '').replaceAll('/', '.');

/** Returns the key by which overrides address an entry: the group, and its package unless that is the default one. */
export function entryKey(entry: { group: string; package: string | undefined }, place: Place): string {
  const group = absolute(entry.group, place.base);
  const at = packageOf({ override: entry.package, written: asPackage(entry.group) }, place);
  return choiceKey(group, at === asPackage(group) ? undefined : at);
}
