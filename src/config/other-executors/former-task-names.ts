/** Gives tasks their names of today where a config for another executor has one of an earlier release. Pure. */
import { chooseTask } from '../catalogue/choose-task';
import { currentName } from '../catalogue/former-names';
import { surroundingsOf } from '../plan/task-surroundings';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { childOf, nodeAt, placeOfNode, withNodeAt } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';

/** Works on the resolved tree. A name that the endpoint or the catalogue decides keeps its meaning. */
export function withFormerTaskNames(root: ConfigNode): {
  readonly root: ConfigNode;
  readonly warnings: readonly ConfigProblem[];
} {
  const tasks = nodeAt(root, ['evaluation', 'tasks']);
  if (tasks?.kind !== 'list') return { root, warnings: [] };
  const renamed = tasks.items.flatMap((task, index) => {
    const node = childOf(task, 'name');
    const name = node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
    const today = name === undefined ? undefined : nameToday(root, name, index);
    return node?.kind !== 'scalar' || today === undefined ? [] : [{ index, node, today }];
  });
  return {
    root: renamed.reduce(
      (tree, { index, node, today }) =>
        withNodeAt(tree, ['evaluation', 'tasks', index, 'name'], { ...node, value: today.name }),
      root,
    ),
    warnings: renamed.map(({ index, node, today }) => ({
      ...placeOf(placeOfNode(node)),
      path: `evaluation.tasks.${index}.name`,
      message: `\`${String(node.value)}\` is taken as ${today.name}: ${today.reason}`,
    })),
  };
}

function nameToday(root: ConfigNode, name: string, index: number): { name: string; reason: string } | undefined {
  const surroundings = surroundingsOf(root, index);
  const choice = chooseTask(name, surroundings);
  const isDecided = choice.kind === 'found' && choice.task.image === undefined;
  if (isDecided || surroundings.container !== null) return undefined;
  const [kind, second] = surroundings.kinds ?? [];
  return currentName(name, second === undefined ? kind : undefined);
}
