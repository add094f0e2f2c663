/** Secrets where they do not belong: they would end up in histories, logs and results. */
import { placeOf } from './problems';
import type { ConfigProblem } from './problems';
import { isSecretName, looksLikeToken, looksRandom } from './secrecy';
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
    const secret = node.env?.names.find(isSecretName);
    if (secret !== undefined) report(`the secret ${secret} would be written in clear into histories and logs`);
    else if (node.env === undefined && (looksLikeToken(node.value) || isKeyInPlace(path, node.value)))
      report('the value looks like a secret, and a secret does not belong into a config');
  }
  return problems;
}

/** A literal where a key belongs that is no variable's name. */
const isKeyInPlace = (path: Path, value: string): boolean =>
  isSecretName(String(path.at(-1) ?? '')) && looksRandom(value) && !/^[A-Z][A-Z0-9_]*$/.test(value);

function adviceFor(path: Path): string {
  const [top] = path;
  if (top === 'deployment') return 'give it to the server as a variable: deployment.envs: {NAME: host:NAME}';
  return 'give it to the jobs as a variable, evaluation.env_vars: {NAME: host:NAME}, and name the variable here';
}
