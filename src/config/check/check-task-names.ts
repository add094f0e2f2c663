/** Checks the names of tasks in the untyped tree, so that they are reported even if the config has other problems. */
import type { CatalogueTask } from '../catalogue/catalogue';
import { chooseTask, labelOf } from '../catalogue/choose-task';
import { surroundingsOf } from '../plan/task-surroundings';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { childOf, isNull, nodeAt, placeOfNode } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';

export function checkTaskNames(root: ConfigNode): ConfigProblem[] {
  const tasks = nodeAt(root, ['evaluation', 'tasks']);
  if (tasks?.kind !== 'list') return [];
  return tasks.items.flatMap((task, index): ConfigProblem[] => {
    const name = childOf(task, 'name');
    const container = childOf(task, 'container');
    if (name?.kind !== 'scalar' || typeof name.value !== 'string' || name.value === '???') return [];
    if (container !== undefined && !isNull(container)) return [];
    const path = `evaluation.tasks.${index}.name`;
    const lookup = chooseTask(name.value, surroundingsOf(root, index));
    if (lookup.kind === 'found') return [];
    if (lookup.kind === 'ambiguous') {
      return [
        {
          ...placeOf(placeOfNode(name)),
          path,
          message: ambiguousTask(name.value),
          hint: choicesOf(lookup.candidates),
        },
      ];
    }
    if (lookup.near.length === 0) return [];
    return [{ ...placeOf(placeOfNode(name)), path, message: unknownTask(name.value), hint: didYouMean(lookup.near) }];
  });
}

/** Says which tasks were chosen of several with the same name. */
export function chosenTasks(root: ConfigNode): ConfigProblem[] {
  const tasks = nodeAt(root, ['evaluation', 'tasks']);
  if (tasks?.kind !== 'list') return [];
  return tasks.items.flatMap((task, index): ConfigProblem[] => {
    const name = childOf(task, 'name');
    if (name?.kind !== 'scalar' || typeof name.value !== 'string') return [];
    const choice = chooseTask(name.value, surroundingsOf(root, index));
    if (choice.kind !== 'found') return [];
    if (choice.task.image !== undefined) return [retired(index, name, choice.task)];
    if (choice.others.length === 0 && isNameOf(name.value, choice.task)) return [];
    return [
      {
        ...placeOf(placeOfNode(name)),
        path: `evaluation.tasks.${index}.name`,
        message: `\`${name.value}\` is taken as ${labelOf(choice.task)}`,
        ...(choice.others.length === 0 ? {} : { hint: `it could also mean ${choice.others.map(labelOf).join(', ')}` }),
      },
    ];
  });
}

const isNameOf = (name: string, { harness, name: own }: CatalogueTask): boolean =>
  name === own || name === `${harness}.${own}`;

const retired = (
  index: number,
  name: ConfigNode,
  { name: task, image, lastRelease }: CatalogueTask,
): ConfigProblem => ({
  ...placeOf(placeOfNode(name)),
  path: `evaluation.tasks.${index}.name`,
  message: `\`${task}\` is not in today's images: it runs in ${image}`,
  hint: `NeMo Evaluator Launcher listed it until release ${lastRelease}. Another image: \`container\``,
});

export const choicesOf = (candidates: readonly CatalogueTask[]): string =>
  `write one of: ${candidates.map(labelOf).join(', ')}`;

export const ambiguousTask = (name: string): string => `several harnesses have a task named \`${name}\``;

export const unknownTask = (name: string): string => `there is no task named \`${name}\``;

export const didYouMean = (names: readonly string[]): string =>
  `did you mean ${names.map((name) => `\`${name}\``).join(' or ')}?`;
