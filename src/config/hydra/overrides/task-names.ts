/** Overrides that address a task by name: `evaluation.tasks.mmlu.nemo_evaluator_config.…=VALUE`. */
import { nearestNames } from '../../../support/nearest';
import { ConfigError, placeOf } from '../../yaml/problems';
import type { ConfigProblem, Origin } from '../../yaml/problems';
import { nodeAt, withoutNodeAt } from '../../yaml/tree';
import type { ConfigNode } from '../../yaml/tree';
import { readYamlValue } from '../../yaml/yaml-reader';
import type { AppliedOverrides, Variables } from './apply';
import { update } from './apply';

export interface TaskOverride {
  readonly text: string;
  readonly origin: Origin;
}

const taskOverridePattern = /^(\+\+|\+|~)?evaluation\.tasks\.([^=]+?)(?:=([\s\S]*))?$/;

/** Whether the argument addresses a task by name. With an index it is an ordinary override. */
export function isTaskOverride(text: string): boolean {
  const rest = taskOverridePattern.exec(text)?.[2];
  return rest !== undefined && !/^\d+(?:\.|$)/.test(rest);
}

/** Applies overrides by task name; after all others, since they refer to tasks of the composed config. Values are YAML. */
export function applyTaskOverrides(
  root: ConfigNode,
  overrides: readonly TaskOverride[],
  env: Variables,
): Omit<AppliedOverrides, 'misspeltKeys'> {
  const problems: ConfigProblem[] = [];
  let current = root;
  for (const override of overrides) {
    try {
      current = applyOne(current, override, env);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
    }
  }
  return { root: current, problems };
}

function applyOne(root: ConfigNode, { text, origin }: TaskOverride, env: Variables): ConfigNode {
  const [, mark = '', address = '', valueText] = taskOverridePattern.exec(text) ?? [];
  const fail = (message: string, hint?: string): never => {
    throw new ConfigError([
      { ...placeOf(origin), path: `evaluation.tasks.${address}`, message, ...(hint === undefined ? {} : { hint }) },
    ]);
  };
  const { index, rest } = locate(root, address, fail);
  const path = ['evaluation', 'tasks', String(index), ...rest];
  if (mark === '~') {
    if (nodeAt(root, path) === undefined) fail('cannot be deleted: it is not in the config');
    return withoutNodeAt(root, path);
  }
  if (valueText === undefined) fail('an override has the form KEY=VALUE');
  const outcome = update(root, path, readYamlValue(valueText ?? '', origin), {
    force: mark === '++' || mark === '+' || rest.length > 1,
    env,
  });
  return 'root' in outcome ? outcome.root : fail(outcome.message, outcome.hint);
}

function locate(
  root: ConfigNode,
  address: string,
  fail: (message: string, hint?: string) => never,
): { index: number; rest: string[] } {
  const tasks = nodeAt(root, ['evaluation', 'tasks']);
  const names = tasks?.kind === 'list' ? tasks.items.map((task) => nameOf(task)) : [];
  const parts = address.split('.');
  // A task's full name contains a dot, so try two parts first.
  for (const length of [2, 1]) {
    if (parts.length < length) continue;
    const wanted = parts.slice(0, length).join('.');
    const exact = indexesOf(names, (name) => name === wanted);
    const matches = exact.length > 0 || length === 2 ? exact : indexesOf(names, (name) => name.endsWith(`.${wanted}`));
    const [index] = matches;
    if (matches.length > 1)
      fail(
        `\`${wanted}\` is the name of several tasks (${matches.join(', ')})`,
        `address one by its index: evaluation.tasks.${index ?? 0}`,
      );
    if (index !== undefined) return { index, rest: parts.slice(length) };
  }
  const near = nearestNames(
    parts[0] ?? '',
    names.flatMap((name) => [name, name.split('.').at(-1) ?? name]),
  );
  return fail(
    `the config has no task named \`${parts[0] ?? ''}\``,
    near.length > 0 ? `did you mean \`${near[0] ?? ''}\`?` : `tasks: ${names.join(', ') || 'none'}`,
  );
}

function nameOf(task: ConfigNode): string {
  const name = task.kind === 'map' ? task.entries.get('name') : undefined;
  return name?.kind === 'scalar' && typeof name.value === 'string' ? name.value : '';
}

const indexesOf = (names: readonly string[], matches: (name: string) => boolean): number[] =>
  names.flatMap((name, index) => (matches(name) ? [index] : []));
