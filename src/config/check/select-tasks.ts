/** Implements `-t`: runs only some of the config's tasks. */
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

/** Keeps the tasks named in `tasks`: `name` selects all tasks of that name, `name.N` the one at index N. Throws `ConfigError` for an unknown name, or if the config has no tasks. */
export function selectTasks({ config, root, tasks: wanted }: Selection & { tasks: readonly string[] }): Selection {
  const { tasks } = config.evaluation;
  if (tasks.length === 0) {
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
  if (wanted.length === 0) return { config, root };
  const problems: ConfigProblem[] = [];
  const kept = new Set<number>();
  for (const want of wanted) {
    const found = indexesFor(
      want,
      tasks.map(({ name }) => name),
    );
    if (found.length === 0)
      problems.push(
        unknownTask(
          want,
          tasks.map(({ name }) => name),
        ),
      );
    for (const index of found) kept.add(index);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const list = nodeAt(root, ['evaluation', 'tasks']);
  const items = list?.kind === 'list' ? list.items.filter((_item, index) => kept.has(index)) : [];
  return {
    config: { ...config, evaluation: { ...config.evaluation, tasks: tasks.filter((_task, index) => kept.has(index)) } },
    root: list?.kind === 'list' ? withNodeAt(root, ['evaluation', 'tasks'], { ...list, items }) : root,
  };
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
