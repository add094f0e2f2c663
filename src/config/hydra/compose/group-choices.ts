/** Which file of each config group is taken: choices from the command line, and from `override` entries of files. */
import { placeOf } from '../../yaml/problems';
import type { ConfigProblem, Origin } from '../../yaml/problems';
import type { Override } from '../overrides/parse-override';
import type { ConfigNode } from '../../yaml/tree';
import type { ConfigSources } from './sources';

/** A group's entry by its name, with its package when that is not the usual one. */
export const choiceKey = (group: string, packageName: string | undefined): string =>
  packageName === undefined ? group : `${group}@${packageName}`;

export class GroupChoices {
  readonly problems: ConfigProblem[] = [];
  /** `+group=name`: added behind the primary config's own list. */
  readonly appended: Override[] = [];
  /** Everything that sets a value instead of choosing a file. */
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

  /** What to take for the entry: `undefined` when it was taken out of the list. */
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

  /** Problems of overrides for groups that no defaults list has. */
  reportUnused(): void {
    for (const override of this.unused) {
      const { key } = override;
      const name = override.value?.kind === 'scalar' ? String(override.value.value) : 'NAME';
      if (override.kind === 'delete')
        this.report(override, `the group \`${key}\` is not in the defaults list, so it cannot be taken out`);
      else
        this.report(
          override,
          `the group \`${key}\` is not in the defaults list of the config`,
          `to add it: +${key}=${name}`,
        );
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
