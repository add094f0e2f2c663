/** Finds secrets in a config: they would end up in histories, logs and results. */
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { isSecretName, isSurelySecretName } from '../../secrets/names';
import { assignedKeys, holdsKey, looksLikeToken } from '../../secrets/secrecy';
import { placeOfNode, scalarsOf } from '../yaml/tree';
import type { ConfigNode, Path, ScalarNode } from '../yaml/tree';

/** Paths whose values are references, are checked by their own schema, or are refused as a whole. */
const checkedElsewhere =
  /^(?:(?:deployment\.|evaluation\.(?:tasks\.\d+\.)?|execution\.lepton_platform\.tasks\.)?env_vars|deployment\.(?:lepton_config\.)?envs|deployment\.lepton_config\.api_tokens?|execution\.lepton_platform\.tasks\.api_tokens|execution\.env_vars)(?:\.|$)/;

export function checkSecrets(root: ConfigNode): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const { path, node } of scalarsOf(root)) {
    const text = literalText(node);
    if (text === undefined || checkedElsewhere.test(path.join('.'))) continue;
    const report = (message: string) =>
      problems.push({ ...placeOf(placeOfNode(node)), path: path.join('.'), message, hint: adviceFor(path) });
    const names = node.env?.names ?? [];
    const secret = names.find(isSecretName) ?? (looksLikeToken(text) ? names[0] : undefined);
    if (secret !== undefined) report(`the secret ${secret} would be written to histories and logs in plain text`);
    else if (looksLikeToken(text) || (names.length === 0 && secretsIn(path, text).length > 0))
      report(
        isSurelySecretName(keyOf(path))
          ? 'a key of this name holds a secret, and secrets do not belong in a config'
          : 'the value looks like a secret, and secrets do not belong in a config',
      );
  }
  return problems;
}

/** Returns the literals of a config that may be secrets, and their parts, so that no message repeats them. */
export const literalSecrets = (root: ConfigNode): string[] =>
  [...scalarsOf(root)].flatMap(({ path, node }) =>
    node.env === undefined ? secretsIn(path, literalText(node) ?? '') : [],
  );

/** Returns the text that may be a secret: never null or a boolean, but a number may be one. */
const literalText = ({ value, text }: ScalarNode): string | undefined =>
  typeof value === 'string'
    ? value
    : value === null || typeof value === 'boolean'
      ? undefined
      : (text ?? String(value));

/** Keys whose value is the name of a secret. */
const referenceKeys = /^(?:image_pull_secrets|secret_name_ref|token_name_ref)$/;

/** Returns the key of a value; for an item of a list, the list's key. */
const keyOf = (path: Path): string => String(path.findLast((part) => !/^\d+$/.test(String(part))) ?? '');

/** Returns the value itself if its key says that it is a secret and it is no variable's name; else secrets assigned in a command line, script or header. */
function secretsIn(path: Path, value: string): string[] {
  const name = keyOf(path);
  if (referenceKeys.test(name)) return [];
  return holdsKey(name, value) ? [value, value.replace(/^\S+\s+/, '')] : assignedKeys(value);
}

function adviceFor(path: Path): string {
  const [top] = path;
  if (top === 'deployment') return 'pass it to the server as a variable: deployment.envs: {NAME: host:NAME}';
  return 'pass it to the jobs as a variable, evaluation.env_vars: {NAME: host:NAME}, and name the variable here';
}
