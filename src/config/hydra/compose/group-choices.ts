/** Decides which file of each config group is used: by the command line, then by `override` entries of files. */
import { placeOf } from '../../yaml/problems';
import type { ConfigProblem, Origin } from '../../yaml/problems';
import type { Override } from '../overrides/parse-override';
import type { ConfigNode } from '../../yaml/tree';
import type { ConfigSources } from './sources';

/** Returns the key of a group's entry: its name, and its package unless that is the default one. */
export const choiceKey = (group: string, packageName: string | undefined): string =>
  packageName === undefined ? group : `${group}@${packageName}`;

export class GroupChoices {
  readonly problems: ConfigProblem[] = [];
  /** `+group=name`: appended to the primary config's defaults list. */
  readonly appended: Override[] = [];
  /** Overrides that set a value instead of choosing a file. */
  readonly valueOverrides: Override[] = [];

  private readonly chosen = new Map<string, Override>();
  private readonly deleted = new Map<string, Override>();
  private readonly fromFiles = new Map<string, ConfigNode>();
  private readonly unused = new Set<Override>();

  constructor(
    private readonly sources: ConfigSources,
    overrides: readonly Override[],
  ) {
    for (const override of overrides) this.sort(override);
  }

  addFromFile(key: string, choice: ConfigNode): void {
    this.fromFiles.set(key, choice);
  }

  /** Chooses a group's file, whatever files say. */
  choose(override: Override): void {
    this.chosen.set(choiceKey(override.key, override.package), override);
  }

  /** Returns the choice for an entry; `undefined` if it was removed from the list (`~group`). */
  take(
    key: string,
    written: { choice: ConfigNode; origin: Origin },
  ): { choice: ConfigNode; origin: Origin } | undefined {
    const deletion = this.deleted.get(key);
    if (deletion !== undefined) {
      this.unused.delete(deletion);
      return undefined;
    }
    const override = this.chosen.get(key);
    if (override?.value !== undefined) {
      this.unused.delete(override);
      return { choice: override.value, origin: override.origin };
    }
    return { choice: this.fromFiles.get(key) ?? written.choice, origin: written.origin };
  }

  /** Reports overrides of groups that no defaults list contains. */
  reportUnused(): void {
    for (const override of this.unused) {
      const { key } = override;
      const name = override.value?.kind === 'scalar' ? String(override.value.value) : 'NAME';
      if (override.kind === 'delete')
        this.report(override, `the group \`${key}\` cannot be removed: it is not in the defaults list`);
      else this.report(override, `the group \`${key}\` is not in the defaults list`, `to add it: +${key}=${name}`);
    }
  }

  private sort(override: Override): void {
    const { key: group, value } = override;
    const isGroup = this.sources.isGroup(group);
    const isChoice = isGroup && (value === undefined || value.kind !== 'map');
    if (!isChoice) {
      if (group.includes('/') || override.package !== undefined)
        this.report(override, `there is no config group \`${group}\``);
      else this.valueOverrides.push(override);
      return;
    }
    if (override.kind === 'force') {
      this.report(override, 'a group choice is added with one `+`', `+${group}=NAME`);
      return;
    }
    if (override.kind === 'add') {
      this.appended.push(override);
      return;
    }
    (override.kind === 'delete' ? this.deleted : this.chosen).set(choiceKey(group, override.package), override);
    this.unused.add(override);
  }

  private report({ origin, key }: Override, message: string, hint?: string): void {
    this.problems.push({ ...placeOf(origin), path: key, message, ...(hint === undefined ? {} : { hint }) });
  }
}
