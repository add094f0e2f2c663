/** Checks the variables of the launching host to which a plan refers. */
import { hostSecretsOf } from '../../contract/host-secrets';
import type { RunPlan } from '../../contract/plan';
import { isUrlSecretVariable } from '../../contract/url-placeholders';
import type { Environment } from '../environment';
import { urlSecretNames } from '../check/secret-urls';
import { scalarsOf } from '../yaml/tree';
import type { ProblemReport } from './problem-report';

/** Returns the variables' names, sorted. Reports those that are not set or empty: the run would fail when it needs them. */
export function checkHostSecrets(plan: RunPlan, env: Environment, report: ProblemReport): readonly string[] {
  const names = hostSecretsOf(plan);
  for (const name of names) {
    if (isUrlSecretVariable(name)) continue;
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value !== undefined && value !== '') continue;
    const reason = value === undefined ? 'is not set' : 'is empty';
    const place = placeOf(name, report);
    report.add(
      place,
      `the environment variable ${name} ${reason}`,
      `set it, or add it to .env${formAt(place, name)}. For a secret of the workspace, use {value_from: {${isToken(place) ? 'token' : 'secret'}_name_ref: NAME}}`,
    );
  }
  // The parts of URLs are not sent anywhere, but must be masked like the rest.
  return [...new Set([...names, ...urlSecretNames(env)])].sort();
}

/** Tokens of endpoints are named by a key of their own. */
const isToken = (place: string): boolean => /(?:^|\.)api_tokens?(?:\.|$)/.test(place);

/** Returns how the variable of a container takes its value from the host. */
function formAt(place: string, name: string): string {
  const [, variable] = /(?:^|\.)env(?:_var)?s\.([^.]+)$/.exec(place) ?? [];
  return variable === undefined ? '' : ` (\`${variable}: host:${name}\`)`;
}

/** Returns the path at which the config refers to the variable; empty if there is none. */
function placeOf(name: string, report: ProblemReport): string {
  for (const { path, node } of scalarsOf(report.root)) {
    const refers = node.value === `host:${name}` || node.env?.names.includes(name) === true;
    const names = node.value === name && (path.includes('api_key_name') || path.includes('env_var_names'));
    if (refers || names) return path.join('.');
  }
  return '';
}
