/** Renders the resolved config as YAML, with secrets masked. */
import { variablesIn } from '../contract/url-placeholders';
import type { Environment } from './environment';
import { isSecretName } from '../secrets/names';
import { maskTokens, maskValues } from '../secrets/secrecy';
import { ConfigError } from './yaml/problems';
import type { ConfigProblem } from './yaml/problems';
import type { ConfigNode, ScalarNode } from './yaml/tree';
import { writeYaml } from './yaml/yaml-writer';
import type { WritableScalar } from './yaml/yaml-writer';

/** Returns YAML. `annotate` gives the comment to put after a value, if any. */
export function renderConfig(
  root: ConfigNode,
  env: Environment,
  annotate?: (node: ScalarNode) => string | undefined,
): string {
  const masked = maskTree(root, secretValues(env), '');
  return writeYaml(masked, annotate as ((scalar: WritableScalar) => string | undefined) | undefined);
}

/** Returns the values of variables whose names say that they hold secrets, longest first. */
export function secretValues(env: Environment): string[] {
  const values = Object.entries(env).flatMap(([name, value]) =>
    value !== undefined && isSecretName(name) ? [value] : [],
  );
  return [...new Set(values)].sort((a, b) => b.length - a.length);
}

/** Runs `work`, and masks the values of secret variables in a `ConfigError` that it throws. */
export function maskingErrors<T>(env: Environment, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(maskProblems(error.problems, secretValues(env)));
  }
}

/** Masks `secrets`, and anything that looks like a token, in the problems' texts. */
export function maskProblems(problems: readonly ConfigProblem[], secrets: readonly string[]): ConfigProblem[] {
  const clean = (text: string): string => maskTokens(maskValues(text, secrets));
  return problems.map(({ message, hint, override, ...problem }) => ({
    ...problem,
    ...(override === undefined ? {} : { override: clean(override) }),
    path: clean(problem.path),
    message: clean(message),
    ...(hint === undefined ? {} : { hint: clean(hint) }),
  }));
}

function maskTree(node: ConfigNode, secrets: readonly string[], key: string): ConfigNode {
  switch (node.kind) {
    case 'map':
      return {
        ...node,
        entries: new Map([...node.entries].map(([name, child]) => [name, maskTree(child, secrets, name)])),
      };
    case 'list':
      return { ...node, items: node.items.map((item) => maskTree(item, secrets, key)) };
    case 'scalar':
      return typeof node.value === 'string' ? { ...node, value: maskText(node, node.value, secrets, key) } : node;
  }
}

function maskText(node: ScalarNode, text: string, secrets: readonly string[], key: string): string {
  const names = node.env?.names ?? [];
  if (variablesIn(text).length > 0) return maskTokens(text);
  const secret = names.some(isSecretName) || (names.length > 0 && isSecretName(key));
  if (secret) return node.env?.whole === true ? `host:${names[0] ?? ''}` : '***';
  return maskTokens(maskValues(text, secrets));
}
