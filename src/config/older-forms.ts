/** Reads forms of NeMo Evaluator Launcher 0.1 that have an equivalent of today, before interpolation. Pure. */
import { isSecretName } from '../secrets/names';
import { assignedKeys, holdsKey, looksLikeToken } from '../secrets/secrecy';
import type { Environment } from './environment';
import { mergeNodes } from './hydra/compose/merge';
import { isInterpolated } from './hydra/interpolation/nodes';
import { placeOf } from './yaml/problems';
import type { ConfigProblem } from './yaml/problems';
import { dotted, emptyMap, nodeAt, placeOfNode, withNodeAt, withoutNodeAt } from './yaml/tree';
import type { ConfigNode, Path, ScalarNode } from './yaml/tree';

export interface OlderForms {
  readonly root: ConfigNode;
  /** What was read as what. */
  readonly warnings: readonly ConfigProblem[];
}

export function withOlderForms(root: ConfigNode, env: Environment): OlderForms {
  const variables = withPrefixes(root, env);
  const overrides = withOverrides(variables.root);
  return { root: overrides.root, warnings: [...variables.warnings, ...overrides.warnings] };
}

/** Text of these maps has a prefix today; in 0.1 it was the name of a variable of the host. */
function withPrefixes(root: ConfigNode, env: Environment): OlderForms {
  const read: { at: Path; node: ScalarNode; value: string }[] = [];
  for (const map of [['env_vars'], ['deployment', 'env_vars'], ...evaluationSections(root, 'env_vars')]) {
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
  const variable = /^\$[A-Za-z_][A-Za-z0-9_]*$/.test(value) ? value.slice(1) : value;
  if (variable !== value || namesHostVariable(name, variable, env)) return `host:${variable}`;
  const isText = !/^[A-Z_][A-Z0-9_]*$/.test(value) && !/[$`]/.test(value);
  const isSecret =
    isSecretName(name) || looksLikeToken(value) || holdsKey(name, value) || assignedKeys(value).length > 0;
  return isText && !isSecret ? `lit:${value}` : undefined;
}

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
  const sections = [
    { from: 'deployment', to: 'deployment.env_vars' },
    { from: 'evaluation', to: 'evaluation.env_vars' },
  ];
  const lines = sections.flatMap(({ from, to }) => {
    const map = nodeAt(root, ['execution', 'env_vars', from]);
    return [...(map?.kind === 'map' ? map.entries : [])].map(
      ([name, node]) => `${to}: {${name}: ${node.kind === 'scalar' ? formOf(name, node, env) : 'lit:TEXT'}}`,
    );
  });
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
