/** Implements `-t` and `--model`: runs only some of the config's tasks and models. */
import { nearestNames } from '../../support/nearest';
import { ConfigError, placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import type { ResolvedConfig } from '../schema/config';
import { nodeAt, placeOfNode, withNodeAt } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';

interface Selection {
  readonly config: ResolvedConfig;
  readonly root: ConfigNode;
}

/**
 * Returns the indexes of the tasks that `-t` names: `name` selects all tasks of that name, `name.N` the one at index N; without any, of
 * all tasks. Throws `ConfigError` for an unknown name, or if the config has no tasks.
 */
export function selectedTasks({ config, root }: Selection, wanted: readonly string[]): ReadonlySet<number> {
  const names = config.evaluation.tasks.map(({ name }) => name);
  if (names.length === 0) {
    const place = placeOf(placeOfNode(nodeAt(root, ['evaluation', 'tasks']) ?? nodeAt(root, ['evaluation']) ?? root));
    throw new ConfigError([
      {
        ...place,
        path: 'evaluation.tasks',
        message: 'there are no tasks to run',
        hint: 'list at least one: `- name: hellaswag`',
      },
    ]);
  }
  if (wanted.length === 0) return new Set(names.keys());
  const problems: ConfigProblem[] = [];
  const kept = new Set<number>();
  for (const want of wanted) {
    const found = indexesFor(want, names);
    if (found.length === 0) problems.push(unknownTask(want, names));
    for (const index of found) kept.add(index);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return kept;
}

/** Returns the config with only these tasks. */
export function withTasks({ config, root }: Selection, kept: ReadonlySet<number>): Selection {
  const { tasks } = config.evaluation;
  if (kept.size === tasks.length) return { config, root };
  return {
    config: { ...config, evaluation: { ...config.evaluation, tasks: tasks.filter((_task, index) => kept.has(index)) } },
    root: rootWithTasks(root, kept),
  };
}

/** The same for the untyped tree. */
export function rootWithTasks(root: ConfigNode, kept: ReadonlySet<number>): ConfigNode {
  const list = nodeAt(root, ['evaluation', 'tasks']);
  if (list?.kind !== 'list') return root;
  return withNodeAt(root, ['evaluation', 'tasks'], { ...list, items: list.items.filter((_item, at) => kept.has(at)) });
}

/** Returns the names of `models` that `--model` selects; without any, all. Throws `ConfigError` for one that the config lacks. */
export function selectedModels(names: readonly string[], wanted: readonly string[]): ReadonlySet<string> {
  const problems = wanted
    .filter((want) => !names.includes(want))
    .map((want): ConfigProblem => {
      if (names.length === 0)
        return {
          path: '',
          message: `--model ${want}: the config has no \`models\` to choose from`,
          hint: 'it evaluates the one model of `deployment`',
        };
      const [near] = nearestNames(want, names);
      return {
        path: '',
        message: `--model ${want}: the config has no model of this name`,
        hint: near === undefined ? `its models: ${names.join(', ')}` : `did you mean \`${near}\`?`,
      };
    });
  if (problems.length > 0) throw new ConfigError(problems);
  return new Set(wanted.length === 0 ? names : wanted);
}

function indexesFor(want: string, names: readonly string[]): number[] {
  const exact = names.flatMap((name, index) => (name === want ? [index] : []));
  if (exact.length > 0) return exact;
  const [, name, index] = /^(.+)\.(\d+)$/.exec(want) ?? [];
  if (name !== undefined && (names[Number(index)] === name || names[Number(index)]?.endsWith(`.${name}`) === true))
    return [Number(index)];
  return names.flatMap((candidate, at) => (candidate.endsWith(`.${want}`) ? [at] : []));
}

function unknownTask(want: string, names: readonly string[]): ConfigProblem {
  const near = nearestNames(want, names);
  // `.N` tells apart those of one name.
  const isShared = (name: string): boolean => names.filter((other) => other === name).length > 1;
  const all = names.map((name, index) => (isShared(name) ? `${name}.${index}` : name)).join(', ');
  return {
    path: '',
    message: `-t ${want}: the config has no task of this name`,
    hint: near.length > 0 ? `did you mean \`${near[0] ?? ''}\`?` : `its tasks: ${all}`,
  };
}
