/** Hydra's composition of one primary config: its `defaults`, group choices and their packages. */
import path from 'node:path';
import { resolveOne } from '../interpolation/resolve';
import { nearestNames } from '../nearest';
import { ConfigError, placeOf } from '../problems';
import type { ConfigProblem, Origin } from '../problems';
import type { Override } from '../overrides/grammar';
import { emptyMap, isNull, scalar, withNodeAt } from '../tree';
import type { ConfigNode, MapNode } from '../tree';
import { readDefaultsList } from './defaults-list';
import type { DefaultsEntry } from './defaults-list';
import { mergeMaps } from './merge';
import type { ConfigSources, LoadedFile } from './sources';

export interface Composition {
  readonly root: MapNode;
  /** Overrides that chose a group's file are used up; these are left. */
  readonly valueOverrides: readonly Override[];
  readonly problems: readonly ConfigProblem[];
}

interface Place {
  /** Folder of the file in the search path, e.g. `deployment`. */
  readonly base: string;
  /** Where its content goes in the config, e.g. `deployment`. */
  readonly package: string;
}

/** Deeper nesting of `defaults` than this is a circle. */
const maxDepth = 20;

export function compose(request: {
  primary: LoadedFile;
  sources: ConfigSources;
  overrides: readonly Override[];
  env: Readonly<Record<string, string | undefined>>;
}): Composition {
  return new Composer(request.sources, request.overrides, request.env).run(request.primary);
}

class Composer {
  private readonly problems: ConfigProblem[] = [];
  private readonly choices = new Map<string, Override>();
  private readonly appended: Override[] = [];
  private readonly deleted = new Map<string, Override>();
  private readonly valueOverrides: Override[] = [];
  private readonly unused = new Set<Override>();
  /** Choices made by `override group: choice` entries of files. */
  private readonly fileChoices = new Map<string, ConfigNode>();
  private readonly seenGroups = new Set<string>();
  private readonly known: Record<string, string | null> = {};

  constructor(
    private readonly sources: ConfigSources,
    overrides: readonly Override[],
    private readonly env: Readonly<Record<string, string | undefined>>,
  ) {
    for (const override of overrides) this.sort(override);
  }

  run(primary: LoadedFile): Composition {
    const root = this.expand(
      primary,
      { base: '', package: primary.packageHeader === '_global_' ? '' : (primary.packageHeader ?? '') },
      0,
      true,
    );
    for (const override of this.unused) this.reportUnused(override);
    return { root: root ?? emptyMap({}), valueOverrides: this.valueOverrides, problems: this.problems };
  }

  /** Which overrides choose from a group, and which set a value. */
  private sort(override: Override): void {
    const group = override.key;
    const isChoice =
      override.value === undefined ||
      override.value.kind === 'scalar' ||
      (override.value.kind === 'list' && this.sources.isGroup(group));
    if (!isChoice || !this.sources.isGroup(group)) {
      if (group.includes('/') || override.package !== undefined)
        this.report(override.origin, group, `there is no config group \`${group}\``);
      else this.valueOverrides.push(override);
      return;
    }
    if (override.kind === 'force') {
      this.report(override.origin, group, 'a group choice is added with one `+`', `+${group}=NAME`);
      return;
    }
    if (override.kind === 'add') this.appended.push(override);
    else {
      (override.kind === 'delete' ? this.deleted : this.choices).set(keyOf(group, override.package), override);
      this.unused.add(override);
    }
  }

  /** A file with all that its `defaults` bring, laid at its package. */
  private expand(file: LoadedFile, place: Place, depth: number, isPrimary = false): MapNode | undefined {
    if (depth > maxDepth)
      throw new ConfigError([
        { file: file.file, path: 'defaults', message: 'the defaults lists include each other in a circle' },
      ]);
    const { entries, problems } = readDefaultsList(file.content.entries.get('defaults'));
    this.problems.push(...problems);
    const own = withoutDefaults(file.content);
    const list = withSelf(entries);
    for (const entry of list) {
      if (entry.kind === 'group' && entry.override)
        this.fileChoices.set(keyOf(absolute(entry.group, place.base), entry.package), entry.choice);
    }
    const parts: MapNode[] = [];
    for (const entry of list) {
      if (entry.kind === 'self') parts.push(atPackage(own, place.package));
      else if (entry.kind === 'config') parts.push(...this.config(entry, place, depth));
      else if (!entry.override) parts.push(...this.group(entry, place, depth));
    }
    if (isPrimary) for (const override of this.appended) parts.push(...this.appendedGroup(override, depth));
    const [first, ...rest] = parts;
    return first === undefined ? undefined : rest.reduce((base, over) => mergeMaps(base, over), first);
  }

  private config(entry: Extract<DefaultsEntry, { kind: 'config' }>, place: Place, depth: number): MapNode[] {
    const configPath = absolute(entry.path, place.base);
    const found = this.sources.find(configPath);
    if (found === undefined) {
      if (!entry.optional) this.report(entry.origin, 'defaults', `there is no config \`${configPath}\``);
      return [];
    }
    const folder = path.posix.dirname(configPath);
    const base = folder === '.' ? '' : folder;
    const inner = {
      base,
      package: packageOf({ override: entry.package, header: found.packageHeader, group: base, parent: place }),
    };
    return present(this.expand(found, inner, depth + 1));
  }

  private group(entry: Extract<DefaultsEntry, { kind: 'group' }>, place: Place, depth: number): MapNode[] {
    const group = absolute(entry.group, place.base);
    const key = keyOf(group, entry.package);
    if (this.takeDeletion(key)) return [];
    const override = this.choices.get(key);
    if (override !== undefined) this.unused.delete(override);
    const choice = override?.value ?? this.fileChoices.get(key) ?? entry.choice;
    if (this.seenGroups.has(key)) {
      this.report(entry.origin, `defaults.${entry.group}`, `the group \`${group}\` is listed twice`);
      return [];
    }
    this.seenGroups.add(key);
    const names =
      choice.kind === 'list' ? choice.items.map((item) => this.name(item, group)) : [this.name(choice, group)];
    const origin = override?.origin ?? entry.origin;
    return names.flatMap((name) =>
      name === null
        ? []
        : this.choose({ group, name, package: entry.package, optional: entry.optional, origin, place, depth }),
    );
  }

  private appendedGroup(override: Override, depth: number): MapNode[] {
    const name = override.value === undefined ? null : this.name(override.value, override.key);
    if (name === null) return [];
    if (this.seenGroups.has(keyOf(override.key, override.package))) {
      this.report(
        override.origin,
        override.key,
        `the group \`${override.key}\` is in the defaults list already`,
        `${override.key}=${name}`,
      );
      return [];
    }
    const place = { base: '', package: '' };
    return this.choose({
      group: override.key,
      name,
      package: override.package,
      optional: false,
      origin: override.origin,
      place,
      depth,
    });
  }

  private choose(choice: {
    group: string;
    name: string;
    package: string | undefined;
    optional: boolean;
    origin: Origin;
    place: Place;
    depth: number;
  }): MapNode[] {
    const { group, name, origin } = choice;
    this.known[group.replaceAll('/', '.')] = name;
    const found =
      /^[\w./-]+$/.test(name) && !name.split('/').includes('..') ? this.sources.find(`${group}/${name}`) : undefined;
    if (found === undefined) {
      if (!choice.optional) this.reportUnknownChoice(group, name, origin);
      return [];
    }
    const inner: Place = {
      base: group,
      package: packageOf({ override: choice.package, header: found.packageHeader, group, parent: choice.place }),
    };
    return present(this.expand(found, inner, choice.depth + 1));
  }

  /** The chosen name; `null` for none, also when it is unusable (which is then a problem). */
  private name(node: ConfigNode, group: string): string | null {
    if (isNull(node)) return null;
    const root = withNodeAt(this.knownAsTree(node.origin), ['_choice_'], node);
    const value = resolveOne(root, ['_choice_'], this.env);
    if (value?.kind === 'scalar' && typeof value.value === 'string' && value.value !== '???') return value.value;
    const shown = node.kind === 'scalar' ? `\`${String(node.value)}\`` : `a ${node.kind}`;
    const [reason, hint] =
      value === undefined
        ? [`${shown} cannot be resolved: a variable or a group it names is not set`, undefined]
        : [`${shown} is not a choice`, `one of: ${this.sources.options(group).join(', ')}`];
    this.report(node.keyOrigin ?? node.origin, `defaults.${group}`, reason, hint);
    return null;
  }

  private knownAsTree(origin: Origin): ConfigNode {
    return Object.entries(this.known).reduce<ConfigNode>(
      (tree, [key, value]) => withNodeAt(tree, key.split('.'), scalar(value, origin)),
      emptyMap(origin),
    );
  }

  private takeDeletion(key: string): boolean {
    const deletion = this.deleted.get(key);
    if (deletion === undefined) return false;
    this.unused.delete(deletion);
    return true;
  }

  private reportUnused(override: Override): void {
    const { key } = override;
    const name = override.value?.kind === 'scalar' ? String(override.value.value) : '';
    if (override.kind === 'delete')
      this.report(override.origin, key, `the group \`${key}\` is not in the defaults list, so it cannot be taken out`);
    else
      this.report(
        override.origin,
        key,
        `the group \`${key}\` is not in the defaults list of the config`,
        `to add it: +${key}=${name}`,
      );
  }

  private reportUnknownChoice(group: string, name: string, origin: Origin): void {
    const options = this.sources.options(group);
    const near = nearestNames(name, options);
    const meant = near.length > 0 ? `did you mean ${near.map((option) => `\`${option}\``).join(' or ')}? ` : '';
    this.report(
      origin,
      `defaults.${group}`,
      `there is no \`${group}\` named \`${name}\``,
      `${meant}one of: ${options.join(', ')}`,
    );
  }

  private report(origin: Origin, at: string, message: string, hint?: string): void {
    this.problems.push({ ...placeOf(origin), path: at, message, ...(hint === undefined ? {} : { hint }) });
  }
}

const present = (node: MapNode | undefined): MapNode[] => (node === undefined ? [] : [node]);

const keyOf = (group: string, packageName: string | undefined): string =>
  packageName === undefined ? group : `${group}@${packageName}`;

const absolute = (name: string, base: string): string =>
  name.startsWith('/') ? name.slice(1) : base === '' ? name : `${base}/${name}`;

/** Without `_self_` the file itself comes last. */
const withSelf = (entries: readonly DefaultsEntry[]): readonly DefaultsEntry[] =>
  entries.some((entry) => entry.kind === 'self') ? entries : [...entries, { kind: 'self', origin: {} }];

function withoutDefaults(content: MapNode): MapNode {
  if (!content.entries.has('defaults')) return content;
  return { ...content, entries: new Map([...content.entries].filter(([key]) => key !== 'defaults')) };
}

function atPackage(content: MapNode, packageName: string): MapNode {
  if (packageName === '') return content;
  return withNodeAt(emptyMap(content.origin), packageName.split('.'), content) as MapNode;
}

/** `@package` in the defaults list wins over the file's header, which wins over the group's own name. */
function packageOf({
  override,
  header,
  group,
  parent,
}: {
  override: string | undefined;
  header: string | undefined;
  group: string;
  parent: Place;
}): string {
  const wanted = override ?? header ?? '_group_';
  const name = wanted === '_group_' ? group.replaceAll('/', '.') : wanted;
  if (override === '_here_') return parent.package;
  if (name.startsWith('_global_')) return name === '_global_' ? '' : name.slice('_global_.'.length);
  if (override !== undefined && parent.package !== '') return `${parent.package}.${name}`;
  if (
    override === undefined &&
    header === undefined &&
    parent.base !== '' &&
    parent.package !== parent.base.replaceAll('/', '.')
  ) {
    // The parent was laid elsewhere than its folder: what it brings follows it.
    const below = group.startsWith(parent.base)
      ? group.slice(parent.base.length).replace(/^\//, '').replaceAll('/', '.')
      : name;
    return [parent.package, below].filter((piece) => piece !== '').join('.');
  }
  return name;
}
