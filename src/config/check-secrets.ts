/** Secrets where they do not belong: they would end up in histories, logs and results. */
import { placeOf } from './problems';
import type { ConfigProblem } from './problems';
import { assignedKeys, holdsKey, isSecretName, looksLikeToken } from './secrecy';
import { placeOfNode, scalarsOf } from './tree';
import type { ConfigNode, Path } from './tree';

/** Maps and lists whose values are references already, or are checked by their own schema. */
const ownChecks = /(?:^|\.)(?:env_vars|envs|api_tokens|api_token)(?:\.|$)/;

export function checkSecrets(root: ConfigNode): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const { path, node } of scalarsOf(root)) {
    if (typeof node.value !== 'string' || ownChecks.test(path.join('.'))) continue;
    const report = (message: string) =>
      problems.push({ ...placeOf(placeOfNode(node)), path: path.join('.'), message, hint: adviceFor(path) });
    const names = node.env?.names ?? [];
    const secret = names.find(isSecretName) ?? (looksLikeToken(node.value) ? names[0] : undefined);
    if (secret !== undefined) report(`the secret ${secret} would be written in clear into histories and logs`);
    else if (looksLikeToken(node.value) || (names.length === 0 && keysIn(path, node.value).length > 0))
      report('the value looks like a secret, and a secret does not belong into a config');
  }
  return problems;
}

/** Literals of a config that may be secrets, with their parts: what no message may repeat. */
export const literalSecrets = (root: ConfigNode): string[] =>
  [...scalarsOf(root)].flatMap(({ path, node }) =>
    typeof node.value === 'string' && node.env === undefined ? keysIn(path, node.value) : [],
  );

/** What names a secret, and holds none. */
const references = /^(?:image_pull_secrets|secret_name_ref|token_name_ref)$/;

/** A literal where a key belongs that is no variable's name; or those in a command line, a script or a header. */
function keysIn(path: Path, value: string): string[] {
  const name = String(path.findLast((part) => !/^\d+$/.test(String(part))) ?? '');
  if (references.test(name)) return [];
  if (!holdsKey(name, value)) return assignedKeys(value);
  return /^[A-Z][A-Z0-9_]*$/.test(value) ? [] : [value, value.replace(/^\S+\s+/, '')];
}

function adviceFor(path: Path): string {
  const [top] = path;
  if (top === 'deployment') return 'give it to the server as a variable: deployment.envs: {NAME: host:NAME}';
  return 'give it to the jobs as a variable, evaluation.env_vars: {NAME: host:NAME}, and name the variable here';
}
