/** Checks the references to auxiliary deployments, and that each deployment has one. */
import { nearestNames } from '../../support/nearest';
import { auxiliaryNames, referencesBelowEvaluation, referencesInText } from '../auxiliary-references';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { dotted, nodeAt, placeOfNode, scalarsOf } from '../yaml/tree';
import type { ConfigNode } from '../yaml/tree';

export function checkAuxiliary(root: ConfigNode): ConfigProblem[] {
  const names = auxiliaryNames(root);
  return [...referencesBelowEvaluation(root)].flatMap(({ path, reference }): ConfigProblem[] => {
    const found = problemWith(root, names, reference);
    return found === undefined ? [] : [{ ...placeOf(placeOfNode(nodeAt(root, path))), path: dotted(path), ...found }];
  });
}

/** Reports deployments that nothing in the whole config refers to. */
export function checkIdleAuxiliaries(root: ConfigNode): ConfigProblem[] {
  const names = auxiliaryNames(root);
  if (names.length === 0) return [];
  const texts = [...scalarsOf(root)].flatMap(({ path: [top], node }) =>
    top === 'auxiliary_deployments' || typeof node.value !== 'string' ? [] : [node.value],
  );
  const used = new Set(texts.flatMap(referencesInText).map(({ name }) => name));
  const idle = names.filter((name) => !used.has(name) && isServed(root, name) && !isNamedByVariable(root, name, texts));
  return idle.map((name) => ({
    ...placeOf(placeOfNode(nodeAt(root, ['auxiliary_deployments', name]))),
    path: `auxiliary_deployments.${name}`,
    message: 'no task refers to it, so it would run for nothing',
    hint: `use \`auxiliary_deployments.${name}.chat_url\` and \`auxiliary_deployments.${name}.model_id\` in the evaluation's parameters, or remove it`,
  }));
}

function problemWith(
  root: ConfigNode,
  names: readonly string[],
  { name, field }: { readonly name: string; readonly field: string },
): Pick<ConfigProblem, 'message' | 'hint'> | undefined {
  if (!names.includes(name)) {
    const near = nearestNames(name, names);
    const known = names.length === 0 ? 'add it at the top of the file' : `there are: ${names.join(', ')}`;
    const hint = near.length > 0 ? `did you mean \`${near[0] ?? ''}\`?` : known;
    return { message: `there is no \`auxiliary_deployments.${name}\``, hint };
  }
  if (!isServed(root, name))
    return {
      message: `\`auxiliary_deployments.${name}\` serves nothing`,
      hint: 'choose its type, or set the url of an existing endpoint',
    };
  const fields = fieldsOf(root, name);
  if (fields.includes(field)) return undefined;
  return {
    message: `\`auxiliary_deployments.${name}\` has no \`${field}\``,
    hint: `what can be referred to: ${fields.join(', ')}`,
  };
}

function fieldsOf(root: ConfigNode, name: string): readonly string[] {
  const endpoints = nodeAt(root, ['auxiliary_deployments', name, 'endpoints']);
  const kinds =
    endpoints?.kind === 'map'
      ? [...endpoints.entries].flatMap(([kind, { kind: form }]) =>
          kind === 'health' || form !== 'scalar' ? [] : [kind],
        )
      : ['chat', 'completions', 'embedding'];
  return [...kinds.map((kind) => `${kind}_url`), 'base_url', 'model_id', 'api_key_name'];
}

/** Whether there will be an endpoint. */
function isServed(root: ConfigNode, name: string): boolean {
  const text = (key: string): unknown => {
    const node = nodeAt(root, ['auxiliary_deployments', name, key]);
    return node?.kind === 'scalar' ? node.value : undefined;
  };
  const type = text('type') ?? 'none';
  return type !== 'none' || (text('url') ?? null) !== null;
}

/** Whether a text names one of the variables that the jobs get. */
function isNamedByVariable(root: ConfigNode, name: string, texts: readonly string[]): boolean {
  const node = nodeAt(root, ['auxiliary_deployments', name, 'env_prefix']);
  const prefix = node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : prefixOf(name);
  const variable = new RegExp(`\\b${prefix}_(?:[A-Z0-9_]+_URL|MODEL_ID)\\b`);
  return texts.some((text) => variable.test(text));
}

/** Returns the beginning of the jobs' variables for a name. */
export const prefixOf = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
