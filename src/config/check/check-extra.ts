/** Finds parameters below `params.extra` that look like misspellings of ones the task's harness knows. Pure. */
import { isPlainObject } from '../../support/plain-object';
import { listTasks } from '../catalogue/catalogue';
import { chooseTask } from '../catalogue/choose-task';
import { nearestNames } from '../../support/nearest';
import { userValue } from '../plan/run-config';
import { surroundingsOf } from '../plan/task-surroundings';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import type { ResolvedConfig } from '../schema/config';
import { nearestNodeAt, nodeAt, placeOfNode } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

const extra = ['config', 'params', 'extra'];

/** Names of parameters, nested as in the config. */
interface ParameterNames {
  readonly [name: string]: ParameterNames;
}

/** Returns warnings. Harnesses accept more than the catalogue lists, so only near misses are reported. */
export function checkExtra(config: ResolvedConfig, root: ConfigNode): ConfigProblem[] {
  const { evaluation } = config;
  const tasks = evaluation.tasks.flatMap((task, index) => {
    const found = chooseTask(task.name, surroundingsOf(root, index));
    return found.kind === 'found' && task.container === null ? [{ task, index, harness: found.harness.name }] : [];
  });
  const warnings = new Map<string, ConfigProblem>();
  for (const { task, index, harness } of tasks) {
    const given = userValue(evaluation.nemo_evaluator_config, task.nemo_evaluator_config, extra);
    for (const { path, hint } of nearMisses(given, parametersOf(harness))) {
      const at = pathInConfig(root, index, path);
      // A parameter given to all tasks is fine if the harness of any of them knows it.
      const common = at[1] !== 'tasks';
      if (common && tasks.some((other) => includesPath(parametersOf(other.harness), path))) continue;
      const message = `\`${path.join('.')}\` is not a known parameter of the harness ${harness}`;
      warnings.set(at.join('.'), {
        ...placeOf(placeOfNode(nearestNodeAt(root, at))),
        path: at.join('.'),
        message,
        hint,
      });
    }
  }
  return [...warnings.values()];
}

function* nearMisses(
  given: unknown,
  known: ParameterNames,
  path: readonly string[] = [],
): Generator<{ path: string[]; hint: string }> {
  if (!isPlainObject(given)) return;
  for (const [key, value] of Object.entries(given)) {
    const inner = Object.hasOwn(known, key) ? known[key] : undefined;
    if (inner !== undefined) yield* nearMisses(value, inner, [...path, key]);
    else {
      const near = nearestNames(key, Object.keys(known));
      if (near.length > 0)
        yield { path: [...path, key], hint: `did you mean ${near.map((name) => `\`${name}\``).join(' or ')}?` };
    }
  }
}

const parametersByHarness = new Map<string, ParameterNames>();

/** Returns the parameters of all tasks of a harness, and `args`, which lm-evaluation-harness accepts but no task lists. */
function parametersOf(harness: string): ParameterNames {
  const done = parametersByHarness.get(harness);
  if (done !== undefined) return done;
  const known = listTasks()
    .filter((task) => task.harness === harness)
    .reduce<ParameterNames>((names, { params }) => union(names, namesOf(params?.['extra'])), { args: {} });
  parametersByHarness.set(harness, known);
  return known;
}

const namesOf = (value: unknown): ParameterNames =>
  isPlainObject(value) ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, namesOf(inner)])) : {};

const union = (a: ParameterNames, b: ParameterNames): ParameterNames =>
  Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((key) => [key, union(a[key] ?? {}, b[key] ?? {})]),
  );

function includesPath(known: ParameterNames | undefined, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return true;
  return known !== undefined && Object.hasOwn(known, key) && includesPath(known[key], rest);
}

/** Returns where the parameter was written: in the task's own config, or in the one for all tasks. */
function pathInConfig(root: ConfigNode, index: number, path: readonly string[]): Path {
  const own: Path = ['evaluation', 'tasks', index, 'nemo_evaluator_config', ...extra, ...path];
  return nodeAt(root, own) === undefined ? ['evaluation', 'nemo_evaluator_config', ...extra, ...path] : own;
}
