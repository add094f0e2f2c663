/** Reads forms of NeMo Evaluator Launcher 0.1 that have an equivalent of today, before interpolation. Pure. */
import { isSecretName, isSurelySecretName } from '../secrets/names';
import { assignedKeys, holdsKey, looksLikeToken } from '../secrets/secrecy';
import type { Environment } from './environment';
import { mergeNodes } from './hydra/compose/merge';
import { isInterpolated } from './hydra/interpolation/nodes';
import { placeOf } from './yaml/problems';
import type { ConfigProblem } from './yaml/problems';
import { dotted, emptyMap, isNull, nodeAt, placeOfNode, withNodeAt, withoutNodeAt } from './yaml/tree';
import type { ConfigNode, Path, ScalarNode } from './yaml/tree';

export interface OlderForms {
  readonly root: ConfigNode;
  /** What was read as what. */
  readonly warnings: readonly ConfigProblem[];
}

/** `foreign`: the file was written for another executor, so its variables are moved too. */
export function withOlderForms(
  root: ConfigNode,
  env: Environment,
  { foreign }: { readonly foreign: boolean },
): OlderForms {
  const filled = withoutEmptyVariables(root);
  const moved = foreign ? withMovedVariables(filled, env) : { root: filled, warnings: [] };
  const variables = withPrefixes(moved.root, env);
  const overrides = withOverrides(variables.root);
  const configs = withEvaluatorConfigs(overrides.root);
  const adapter = foreign ? withAdapterConfig(configs.root) : { root: configs.root, warnings: [] };
  const steps = [moved, variables, overrides, configs, adapter];
  return { root: adapter.root, warnings: steps.flatMap(({ warnings }) => warnings) };
}

/** Where the sections of `execution.env_vars` are today. */
const variableSections = [
  { from: 'deployment', to: ['deployment', 'env_vars'] },
  { from: 'evaluation', to: ['evaluation', 'env_vars'] },
] as const;

/** Removes `execution.env_vars` without variables, as older configs have it. */
function withoutEmptyVariables(root: ConfigNode): ConfigNode {
  const at = ['execution', 'env_vars'];
  const given = nodeAt(root, at);
  const isEmpty = (node: ConfigNode): boolean =>
    isNull(node) || (node.kind === 'map' && [...node.entries.values()].every(isEmpty));
  return given !== undefined && isEmpty(given) ? withoutNodeAt(root, at) : root;
}

/** Moves `execution.env_vars`. A variable that is also at its place of today keeps the value that it has there. */
function withMovedVariables(root: ConfigNode, env: Environment): OlderForms {
  const at = ['execution', 'env_vars'];
  const places = placesOfOldVariables(root, env);
  const given = nodeAt(root, at);
  if (places === undefined || given?.kind !== 'map') return { root, warnings: [] };
  const deploys = nodeAt(root, ['deployment', 'type']);
  const isNone = deploys?.kind === 'scalar' && deploys.value === 'none';
  const moved = variableSections.reduce((tree, { from, to }) => {
    const map = nodeAt(tree, [...at, from]);
    if (map?.kind !== 'map') return tree;
    const cut = withoutNodeAt(tree, [...at, from]);
    if (isNone && from === 'deployment') return cut;
    return [...map.entries].reduce(
      (current, [name, node]) =>
        nodeAt(current, [...to, name]) === undefined ? withNodeAt(current, [...to, name], node) : current,
      cut,
    );
  }, root);
  const direct = [...given.entries].filter(([, node]) => node.kind === 'scalar');
  const cleared = direct.reduce((tree, [name, node]) => {
    const cut = withoutNodeAt(tree, [...at, name]);
    return nodeAt(cut, ['env_vars', name]) === undefined ? withNodeAt(cut, ['env_vars', name], node) : cut;
  }, moved);
  const rest = nodeAt(cleared, at);
  const isDone = rest?.kind === 'map' && [...rest.entries.keys()].every((key) => key === 'export');
  return {
    root: isDone ? withoutNodeAt(cleared, at) : cleared,
    warnings: [
      {
        ...placeOf(placeOfNode(given)),
        path: dotted(at),
        message: `is read as in older configs: ${places}`,
        hint: 'write the variables there, in this form',
      },
    ],
  };
}

/** Text of these maps has a prefix today; in 0.1 it was the name of a variable of the host. */
function withPrefixes(root: ConfigNode, env: Environment): OlderForms {
  const read: { at: Path; node: ScalarNode; value: string }[] = [];
  for (const map of [
    ['env_vars'],
    ['export', 'env_vars'],
    ['deployment', 'env_vars'],
    ...evaluationSections(root, 'env_vars'),
  ]) {
    const node = nodeAt(root, map);
    for (const [name, child] of node?.kind === 'map' ? node.entries : []) {
      const value = child.kind === 'scalar' ? prefixed(name, child, env) : undefined;
      if (value !== undefined && child.kind === 'scalar') read.push({ at: [...map, name], node: child, value });
    }
  }
  const [first] = read;
  if (first === undefined) return { root, warnings: [] };
  const listed = read.map(({ at, value }) => `${dotted(at)}: ${value}`).join(', ');
  return {
    root: read.reduce((tree, { at, node, value }) => withNodeAt(tree, at, { ...node, value }), root),
    warnings: [
      {
        ...placeOf(placeOfNode(first.node)),
        path: '',
        message: `variables without a prefix are read as in older configs: ${listed}`,
        hint: 'write them in this form: host:NAME for a variable of this host, lit:TEXT for a text',
      },
    ],
  };
}

/** Returns the value with its prefix; `undefined` if it needs none, or if it is not certain which. */
function prefixed(name: string, node: ScalarNode, env: Environment): string | undefined {
  const { value } = node;
  if (typeof value !== 'string' || value === '' || value === '???' || isInterpolated(node)) return undefined;
  if (/^(?:host|runtime|lit):/.test(value)) return undefined;
  if (/^\$(?:host|runtime|lit):/.test(value)) return value.slice(1);
  if (isSurelySecretName(name) && isPlaceholder(value)) return `host:${name}`;
  const variable = /^\$[A-Za-z_][A-Za-z0-9_]*$/.test(value) ? value.slice(1) : value;
  if (variable !== value || namesHostVariable(name, variable, env)) return `host:${variable}`;
  const isText = !/^[A-Z_][A-Z0-9_]*$/.test(value) && !/[$`]/.test(value);
  const isSecret =
    isSecretName(name) || looksLikeToken(value) || holdsKey(name, value) || assignedKeys(value).length > 0;
  return isText && !isSecret ? `lit:${value}` : undefined;
}

/** What examples have in the place of a secret: `hf_your_token`, `<token>`. */
const isPlaceholder = (value: string): boolean =>
  !/^[A-Z][A-Z0-9_]*$/.test(value) &&
  /^<[^<>]*>$|^(?:[a-z]+[-_])?(?:your|my)[-_][a-z_-]*(?:token|key)(?:[-_]here)?$/i.test(value);

function namesHostVariable(name: string, value: string, env: Environment): boolean {
  if (!/^[A-Z][A-Z0-9_]*$/.test(value) || looksLikeToken(value)) return false;
  return value === name || (value.includes('_') && (isSecretName(name) || env[value] !== undefined));
}

/** `overrides: {config.params.top_p: 1}` is `nemo_evaluator_config: {config: {params: {top_p: 1}}}`, which wins. */
function withOverrides(root: ConfigNode): OlderForms {
  const given = evaluationSections(root, 'overrides').filter((at) => nodeAt(root, at)?.kind === 'map');
  const [first] = given;
  if (first === undefined) return { root, warnings: [] };
  return {
    root: given.reduce(asEvaluatorConfig, root),
    warnings: [
      {
        ...placeOf(placeOfNode(nodeAt(root, first))),
        path: '',
        message: `\`overrides\` of older configs are read as \`nemo_evaluator_config\`: ${given.map(dotted).join(', ')}`,
        hint: 'write config.params.top_p: 1 as nemo_evaluator_config: {config: {params: {top_p: 1}}}',
      },
    ],
  };
}

/** `config` of `evaluation` or a task is an old name of `nemo_evaluator_config`, if it has the same sections. */
function withEvaluatorConfigs(root: ConfigNode): OlderForms {
  const given = evaluationSections(root, 'config').filter((at) => {
    const node = nodeAt(root, at);
    const own = nodeAt(root, [...at.slice(0, -1), 'nemo_evaluator_config']);
    const isWhole = node?.kind === 'map' && (node.entries.has('config') || node.entries.has('target'));
    return isWhole && (own === undefined || isNull(own));
  });
  const renamed = given.reduce((tree, at) => {
    const node = nodeAt(tree, at);
    const target = [...at.slice(0, -1), 'nemo_evaluator_config'];
    return node === undefined ? tree : withNodeAt(withoutNodeAt(tree, at), target, node);
  }, root);
  return said(root, renamed, given, '`config` of older configs is read as `nemo_evaluator_config`');
}

/** The other executors' documentation has the adapter's settings here too. */
function withAdapterConfig(root: ConfigNode): OlderForms {
  const at = ['target', 'api_endpoint', 'adapter_config'];
  const target = ['evaluation', 'nemo_evaluator_config', ...at];
  const node = nodeAt(root, at);
  if (node?.kind !== 'map' || nodeAt(root, target) !== undefined) return { root, warnings: [] };
  const moved = withNodeAt(withoutNodeAt(root, at), target, node);
  return said(root, moved, [at], `is read as \`${dotted(target)}\``);
}

function said(before: ConfigNode, root: ConfigNode, at: readonly Path[], message: string): OlderForms {
  const [first] = at;
  if (first === undefined) return { root: before, warnings: [] };
  const place = placeOf(placeOfNode(nodeAt(before, first)));
  return { root, warnings: [{ ...place, path: at.map(dotted).join(', '), message, hint: 'write it there' }] };
}

function asEvaluatorConfig(root: ConfigNode, at: Path): ConfigNode {
  const node = nodeAt(root, at);
  if (node?.kind !== 'map') return root;
  const target = [...at.slice(0, -1), 'nemo_evaluator_config'];
  const nested = [...node.entries].reduce<ConfigNode>(
    (tree, [key, child]) => withNodeAt(tree, key.split('.'), child),
    emptyMap(node.origin),
  );
  const existing = nodeAt(root, target);
  const merged = existing?.kind === 'map' ? mergeNodes(nested, existing) : { ...nested, ...keyPlaceOf(node) };
  return withNodeAt(withoutNodeAt(root, at), target, merged);
}

/** Returns where each variable of `execution.env_vars` belongs today, and in which form; `undefined` if it has none. */
export function placesOfOldVariables(root: ConfigNode, env: Environment = {}): string | undefined {
  const lines = variableSections.flatMap(({ from, to }) => {
    const map = nodeAt(root, ['execution', 'env_vars', from]);
    return [...(map?.kind === 'map' ? map.entries : [])].map(
      ([name, node]) => `${dotted(to)}: {${name}: ${node.kind === 'scalar' ? formOf(name, node, env) : 'lit:TEXT'}}`,
    );
  });
  const all = nodeAt(root, ['execution', 'env_vars']);
  for (const [name, node] of all?.kind === 'map' ? all.entries : [])
    if (node.kind === 'scalar' && !isNull(node)) lines.push(`env_vars: {${name}: ${formOf(name, node, env)}}`);
  return lines.length === 0 ? undefined : lines.join(', ');
}

/** Never repeats a value that may be a secret. */
function formOf(name: string, node: ScalarNode, env: Environment): string {
  const { value } = node;
  const [variable] = node.env?.names ?? [];
  if (variable !== undefined) return `host:${variable}`;
  if (typeof value !== 'string') return `lit:${node.text ?? String(value)}`;
  if (/^(?:host|runtime|lit):/.test(value)) return value;
  const isBare = /^[A-Z_][A-Z0-9_]*$/.test(value) && !looksLikeToken(value);
  return prefixed(name, node, env) ?? (isBare ? `host:${value}` : `host:${name}`);
}

const keyPlaceOf = ({ keyOrigin }: ConfigNode) => (keyOrigin === undefined ? {} : { keyOrigin });

/** Returns the paths of a key below `evaluation` and below each task. */
function evaluationSections(root: ConfigNode, key: string): Path[] {
  const tasks = nodeAt(root, ['evaluation', 'tasks']);
  const count = tasks?.kind === 'list' ? tasks.items.length : 0;
  return [
    ['evaluation', key],
    ...Array.from({ length: count }, (_value, index) => ['evaluation', 'tasks', index, key]),
  ];
}
