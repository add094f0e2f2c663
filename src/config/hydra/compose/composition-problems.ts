import { nearestNames } from '../../../support/nearest';
import { placeOf } from '../../yaml/problems';
import type { ConfigProblem, Origin } from '../../yaml/problems';
import type { ConfigNode } from '../../yaml/tree';
import type { DefaultsEntry } from './defaults-list';
import type { ConfigSources } from './sources';

/** Problems found while a config is composed, worded with what there is instead. */
export class CompositionProblems {
  readonly all: ConfigProblem[] = [];

  constructor(private readonly sources: ConfigSources) {}

  report(origin: Origin, at: string, message: string, hint?: string): void {
    this.all.push({ ...placeOf(origin), path: at, message, ...(hint === undefined ? {} : { hint }) });
  }

  /** A file of a defaults list isn't found. */
  noConfig(path: string, origin: Origin): void {
    const other = this.sources.withOtherExtension(path);
    if (other === undefined)
      this.report(origin, 'defaults', `there is no config \`${path}\``, this.sources.lookedFor(path));
    else this.report(origin, 'defaults', ...wrongExtension(other));
  }

  /** A path of a defaults list has `..`. `absence`: where it was looked for; empty: the file exists. */
  leadsOut({ path, origin }: Extract<DefaultsEntry, { kind: 'config' }>, absence: string): void {
    const rest = path.replace(/^(?:\.\.\/)+/, '');
    this.report(
      origin,
      'defaults',
      `\`${path}\` leads out of the config's folder, which a \`defaults\` list cannot do (in Hydra neither)`,
      `${absence}what works: give the folder that holds both, and name files from there: --config-dir .. --config-name FOLDER/NAME, with \`- /${rest}\` in the list; or put the file below the config's folder`,
    );
  }

  /** A group's choice can't be used. `isUnresolved`: it names what is not set. */
  noChoice(
    node: ConfigNode,
    { group, isUnresolved }: { readonly group: string; readonly isUnresolved: boolean },
  ): void {
    const shown = node.kind === 'scalar' ? `\`${String(node.value)}\`` : `a ${node.kind}`;
    const [message, hint] = isUnresolved
      ? [`${shown} cannot be resolved: a variable or group that it names is not set`]
      : [`${shown} is not a choice`, `one of: ${this.sources.options(group).join(', ')}`];
    this.report(node.keyOrigin ?? node.origin, `defaults.${group}`, message, hint);
  }

  /** A group has no file of this name. */
  unknownChoice(group: string, name: string, origin: Origin): void {
    const other = this.sources.withOtherExtension(`${group}/${name}`);
    if (other !== undefined) {
      this.report(origin, `defaults.${group}`, ...wrongExtension(other));
      return;
    }
    const options = this.sources.options(group);
    const near = nearestNames(name, options);
    const meant = near.length > 0 ? `did you mean ${near.map((option) => `\`${option}\``).join(' or ')}? ` : '';
    const [own] = group.split('/').slice(-1);
    const isNested = options.length === 0 && own !== undefined && own !== group && this.sources.isGroup(own);
    const offered =
      options.length > 0 ? `${meant}one of: ${options.join(', ')}` : this.sources.lookedFor(`${group}/${name}`);
    this.report(
      origin,
      `defaults.${group}`,
      `there is no \`${group}\` named \`${name}\``,
      isNested ? `names count from the folder of the file that has them: write \`/${own}: ${name}\`` : offered,
    );
  }
}

const wrongExtension = (file: string): [string, string] => [
  `the file is ${file}, but \`defaults\` finds only files that end in .yaml (as in Hydra)`,
  `there is ${file}: rename it to ${file.replace(/\.[^.]*$/, '.yaml')}`,
];
