/** Secrets where they do not belong: they would end up in histories, logs and results. */
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { isSecretName, isSurelySecretName } from '../../secrets/names';
import { assignedKeys, holdsKey, looksLikeToken } from '../../secrets/secrecy';
import { placeOfNode, scalarsOf } from '../yaml/tree';
import type { ConfigNode, Path, ScalarNode } from '../yaml/tree';

/** Maps and lists whose values are references already, or are checked by their own schema. */
const checkedElsewhere =
  /^(?:(?:deployment\.|evaluation\.(?:tasks\.\d+\.)?|execution\.lepton_platform\.tasks\.)?env_vars|deployment\.(?:lepton_config\.)?envs|deployment\.lepton_config\.api_tokens?|execution\.lepton_platform\.tasks\.api_tokens)(?:\.|$)/;

export function checkSecrets(root: ConfigNode): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const { path, node } of scalarsOf(root)) {
    const text = literalText(node);
    if (text === undefined || checkedElsewhere.test(path.join('.'))) continue;
    const report = (message: string) =>
      problems.push({ ...placeOf(placeOfNode(node)), path: path.join('.'), message, hint: adviceFor(path) });
    const names = node.env?.names ?? [];
    const secret = names.find(isSecretName) ?? (looksLikeToken(text) ? names[0] : undefined);
    if (secret !== undefined) report(`the secret ${secret} would be written in clear into histories and logs`);
    else if (looksLikeToken(text) || (names.length === 0 && secretsIn(path, text).length > 0))
      report(
        isSurelySecretName(keyOf(path))
          ? 'what has this name is a secret, and a secret does not belong into a config'
          : 'the value looks like a secret, and a secret does not belong into a config',
      );
  }
  return problems;
}

/** Literals of a config that may be secrets, with their parts: what no message may repeat. */
export const literalSecrets = (root: ConfigNode): string[] =>
  [...scalarsOf(root)].flatMap(({ path, node }) =>
    node.env === undefined ? secretsIn(path, literalText(node) ?? '') : [],
  );

/** Yes, no and nothing are no secrets; a number may be one. */
const literalText = ({ value, text }: ScalarNode): string | undefined =>
  typeof value === 'string'
    ? value
    : value === null || typeof value === 'boolean'
      ? undefined
      : (text ?? String(value));

/** What names a secret, and holds none. */
const referenceKeys = /^(?:image_pull_secrets|secret_name_ref|token_name_ref)$/;

/** The key that a value belongs to: that of the list where it is an item. */
const keyOf = (path: Path): string => String(path.findLast((part) => !/^\d+$/.test(String(part))) ?? '');

/** A literal where a key belongs that is no variable's name; or those in a command line, a script or a header. */
function secretsIn(path: Path, value: string): string[] {
  const name = keyOf(path);
  if (referenceKeys.test(name)) return [];
  return holdsKey(name, value) ? [value, value.replace(/^\S+\s+/, '')] : assignedKeys(value);
}

function adviceFor(path: Path): string {
  const [top] = path;
  if (top === 'deployment') return 'give it to the server as a variable: deployment.envs: {NAME: host:NAME}';
  return 'give it to the jobs as a variable, evaluation.env_vars: {NAME: host:NAME}, and name the variable here';
}
