/** Composes a primary config as Hydra does: its `defaults`, group choices and packages. */
import { resolveOne } from '../interpolation/resolve-interpolations';
import { ConfigError, placeOf } from '../../yaml/problems';
import type { ConfigProblem, Origin } from '../../yaml/problems';
import type { Override } from '../overrides/parse-override';
import { foreignExecutors } from '../../schema/foreign-executors';
import { emptyMap, isNull, scalar, withNodeAt } from '../../yaml/tree';
import type { ConfigNode, MapNode } from '../../yaml/tree';
import { CompositionProblems } from './composition-problems';
import { readDefaultsList } from './defaults-list';
import type { DefaultsEntry } from './defaults-list';
import { choiceKey, GroupChoices } from './group-choices';
import { mergeMaps } from './merge';
import { absolute, asPackage, atPackage, entryKey, folderOf, packageOf } from './packages';
import type { Place } from './packages';
import type { ConfigSources, LoadedFile } from './sources';

export interface Composition {
  readonly root: MapNode;
  /** Overrides that set a value instead of choosing a group's file. */
  readonly valueOverrides: readonly Override[];
  readonly problems: readonly ConfigProblem[];
  /** Valid, but perhaps not what was meant. */
  readonly warnings: readonly ConfigProblem[];
  /** The executor in the defaults list if it is another one than Lepton, even if the command line replaces it. */
  readonly foreignExecutor: string | undefined;
  /** A file or a group's choice is missing, so that further problems would only follow from that. */
  readonly incomplete: boolean;
}

/** More nested `defaults` than this are taken for a cycle. */
const maxDepth = 20;

/** Composes `primary` with its defaults and the group choices among `overrides`. Throws `ConfigError` if a file cannot be read. */
export function compose(request: {
  primary: LoadedFile;
  sources: ConfigSources;
  overrides: readonly Override[];
  env: Readonly<Record<string, string | undefined>>;
  /** Replaces the executor of the files, or adds one. */
  executor?: string | undefined;
}): Composition {
  const { sources, overrides, env, executor } = request;
  return new Composer(sources, new GroupChoices(sources, overrides), env).run(request.primary, executor);
}

/** Warns, as Hydra does, about a list without `_self_`: readers should not have to guess whether the file or its defaults win. */
function missingSelfWarnings({ file, content }: LoadedFile): ConfigProblem[] {
  const defaults = content.entries.get('defaults');
  const { entries } = readDefaultsList(defaults);
  if (entries.length === 0 || content.entries.size < 2 || entries.some(({ kind }) => kind === 'self')) return [];
  const message = '`_self_` is not in the list: values of this file override those of the list';
  return [
    {
      ...placeOf(defaults?.keyOrigin ?? { file }),
      path: 'defaults',
      message,
      hint: 'add `- _self_` at the end of the list',
    },
  ];
}

class Composer {
  private readonly problems: CompositionProblems;
  /** Composition goes on with Lepton's preset, so that all other problems are found too. */
  private readonly executorProblems: ConfigProblem[] = [];
  private foreignExecutor: string | undefined;
  private readonly seenGroups = new Set<string>();
  /** For `${group}` in a later entry of the list. */
  private chosenSoFar: ConfigNode = emptyMap({});

  constructor(
    private readonly sources: ConfigSources,
    private readonly choices: GroupChoices,
    private readonly env: Readonly<Record<string, string | undefined>>,
  ) {
    this.problems = new CompositionProblems(sources);
  }

  run(primary: LoadedFile, executor: string | undefined): Composition {
    if (executor !== undefined) this.choices.choose(executorOverride(executor));
    const place = {
      base: '',
      package: packageOf(
        { override: undefined, header: primary.packageHeader, written: '' },
        { base: '', package: '' },
      ),
    };
    const parts = this.expand(primary, place, { depth: 0, appended: this.choices.appended });
    const [first = emptyMap({}), ...rest] = executor === undefined ? parts : this.withExecutor(parts, executor);
    this.choices.reportUnused();
    return {
      root: rest.reduce((root, over) => mergeMaps(root, over, { root, path: [], env: this.env }), first),
      valueOverrides: this.choices.valueOverrides,
      problems: [...this.choices.problems, ...this.problems.all, ...this.executorProblems],
      warnings: missingSelfWarnings(primary),
      foreignExecutor: this.foreignExecutor,
      incomplete: this.choices.problems.length + this.problems.all.length > 0,
    };
  }

  /** Adds the executor's preset below the config, if no defaults list has one. */
  private withExecutor(parts: readonly MapNode[], executor: string): readonly MapNode[] {
    return this.seenGroups.has(executorGroup)
      ? parts
      : [...this.appendedGroup(executorOverride(executor), 0), ...parts];
  }

  /** Returns what a file and its `defaults` say, each at its package, in the order in which they are merged. */
  private expand(
    file: LoadedFile,
    place: Place,
    { depth, appended = [] }: { depth: number; appended?: readonly Override[] },
  ): MapNode[] {
    if (depth > maxDepth)
      throw new ConfigError([
        { file: file.file, path: 'defaults', message: 'the defaults lists include each other in a cycle' },
      ]);
    const { entries, problems } = readDefaultsList(file.content.entries.get('defaults'));
    this.problems.all.push(...problems);
    const list = withSelf(entries);
    for (const entry of list)
      if (entry.kind === 'group' && entry.override) this.choices.addFromFile(entryKey(entry, place), entry.choice);
    const parts: MapNode[] = [];
    for (const entry of list) {
      if (entry.kind === 'self') parts.push(atPackage(withoutDefaults(file.content), place.package));
      else if (entry.kind === 'config') parts.push(...this.config(entry, place, depth));
      else if (!entry.override) parts.push(...this.group(entry, place, depth));
    }
    for (const override of appended) parts.push(...this.appendedGroup(override, depth));
    return parts;
  }

  private config(entry: Extract<DefaultsEntry, { kind: 'config' }>, place: Place, depth: number): MapNode[] {
    const configPath = absolute(entry.path, place.base);
    const found = this.sources.find(configPath);
    if (entry.path.split('/').includes('..')) {
      this.problems.leadsOut(entry, found === undefined ? `${this.sources.lookedFor(configPath)}; and ` : '');
      return [];
    }
    if (found === undefined) {
      if (!entry.optional) this.problems.noConfig(configPath, entry.origin);
      return [];
    }
    const written = folderOf(entry.path.replace(/^\//, '')).replaceAll('/', '.');
    const inner = {
      base: folderOf(configPath),
      package: packageOf({ override: entry.package, header: found.packageHeader, written }, place),
    };
    return this.expand(found, inner, { depth: depth + 1 });
  }

  private group(entry: Extract<DefaultsEntry, { kind: 'group' }>, place: Place, depth: number): MapNode[] {
    const group = absolute(entry.group, place.base);
    const key = entryKey(entry, place);
    const taken = this.choices.take(key, entry);
    if (group === executorGroup) this.noteExecutor(entry.choice);
    if (taken === undefined) return [];
    if (this.seenGroups.has(key)) {
      this.problems.report(entry.origin, `defaults.${entry.group}`, `the group \`${key}\` is listed twice`);
      return [];
    }
    this.seenGroups.add(key);
    const names =
      taken.choice.kind === 'list'
        ? taken.choice.items.map((item) => this.name(item, group))
        : [this.name(taken.choice, group)];
    return names.flatMap((name) =>
      name === null
        ? []
        : this.choose({ ...entry, group, name, origin: taken.origin, written: asPackage(entry.group) }, place, depth),
    );
  }

  private appendedGroup({ key: group, package: packageName, value, origin }: Override, depth: number): MapNode[] {
    const name = value === undefined ? null : this.name(value, group);
    if (name === null) return [];
    if (this.seenGroups.has(choiceKey(group, packageName))) {
      this.problems.report(origin, group, `the group \`${group}\` is in the defaults list already`, `${group}=${name}`);
      return [];
    }
    return this.choose(
      { group, name, package: packageName, optional: false, origin, written: asPackage(group) },
      { base: '', package: '' },
      depth,
    );
  }

  private choose(
    choice: {
      group: string;
      name: string;
      package: string | undefined;
      optional: boolean;
      origin: Origin;
      written: string;
    },
    place: Place,
    depth: number,
  ): MapNode[] {
    const { group, name, origin } = choice;
    this.chosenSoFar = withNodeAt(this.chosenSoFar, group.split('/'), scalar(name, origin));
    const safe = /^[\w./-]+$/.test(name) && !name.split('/').includes('..');
    const own = safe ? this.sources.find(`${group}/${name}`) : undefined;
    const found =
      own ?? (group === executorGroup && isForeignExecutor(name) ? this.inPlaceOf(name, origin) : undefined);
    if (found === undefined) {
      if (!choice.optional) this.problems.unknownChoice(group, name, origin);
      return [];
    }
    const inner = {
      base: group,
      package: packageOf({ override: choice.package, header: found.packageHeader, written: choice.written }, place),
    };
    return this.expand(found, inner, { depth: depth + 1 });
  }

  /** Remembers an executor that is not Lepton's, even if the command line replaces it. */
  private noteExecutor(choice: ConfigNode): void {
    const name = choice.kind === 'scalar' && typeof choice.value === 'string' ? choice.value : '';
    const isReplaced = this.sources.find(`${executorGroup}/${name}`) === undefined;
    if (isReplaced && name !== '') this.foreignExecutor = name;
  }

  /** Reports another executor, and returns Lepton's preset. */
  private inPlaceOf(executor: string, origin: Origin): LoadedFile | undefined {
    this.foreignExecutor ??= executor;
    this.executorProblems.push({
      ...placeOf(origin),
      path: 'defaults.execution',
      message: `the executor \`${executor}\` is another tool's: evalsaga runs on Lepton, or on this machine with the same API`,
      hint: 'to run this file unchanged: --executor lepton',
    });
    return this.sources.find(`${executorGroup}/lepton`);
  }

  /** Returns the chosen name; `null` if there is none, or if it cannot be used (which is reported). */
  private name(node: ConfigNode, group: string): string | null {
    if (isNull(node)) return null;
    const value = resolveOne(withNodeAt(this.chosenSoFar, ['_choice_'], node), ['_choice_'], this.env);
    if (value?.kind === 'scalar' && typeof value.value === 'string' && value.value !== '???') return value.value;
    this.problems.noChoice(node, { group, isUnresolved: value === undefined });
    return null;
  }
}

const executorGroup = 'execution';

function executorOverride(name: string): Override {
  const origin = { override: `${executorGroup}=${name}` };
  return { kind: 'change', key: executorGroup, value: scalar(name, origin), origin };
}

const isForeignExecutor = (name: unknown): boolean => foreignExecutors.some((each) => each === name);

/** Without `_self_`, the file itself comes last. */
const withSelf = (entries: readonly DefaultsEntry[]): readonly DefaultsEntry[] =>
  entries.some((entry) => entry.kind === 'self') ? entries : [...entries, { kind: 'self', origin: {} }];

function withoutDefaults(content: MapNode): MapNode {
  if (!content.entries.has('defaults')) return content;
  return { ...content, entries: new Map([...content.entries].filter(([key]) => key !== 'defaults')) };
}
